"""The simulated platform: its response times, its invariants, its Gymnasium interface."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from tercet.rl.experience import State
from tercet.rl.options import Option
from tercet.rl.platform import decode
from tercet.sim.dynamic import Dynamic, markov, shift
from tercet.sim.environment import active
from tercet.sim.gym import Orchestration
from tercet.sim.scenarios import crowded, many_edges, other_models, paper, unequal


def test_one_device_at_the_edge_takes_the_calibrated_time() -> None:
    world = paper("A", 2)
    ms = world.expected_ms(world.initial, np.array([[8, 7], [8, 8], [9, 9]]))
    assert ms[0] == pytest.approx([310.02, 72.35])
    assert ms[1] == pytest.approx([45.0 + 2 * 265.02] * 2)
    assert ms[2] == pytest.approx([75.0 + 2 * 252.32] * 2)


def test_weak_links_cost_their_penalty() -> None:
    world = paper("B", 5)
    ms = world.expected_ms(world.initial, np.full((1, 5), 7))[0]
    assert ms == pytest.approx(72.35 + 3.82 + 78.65 * np.array([0, 1, 0, 1, 0]))


def test_links_repeat_beyond_five_users() -> None:
    world = paper("C", 7)
    assert [world.initial.node(d).weak for d in world.platform.devices] == [
        True, True, True, False, False, True, True,
    ]  # fmt: skip


@pytest.mark.parametrize("world", [paper(), unequal(), crowded(), many_edges(4, 2), markov(4)])
def test_steps_repeat_with_the_seed_and_average_to_the_expected_time(world) -> None:
    state = world.reset(3)
    devices = active(world.platform, state)
    choice = np.arange(len(devices)) % 10
    assignment = decode(world.platform, devices, choice)
    first = world.step(assignment).response_ms
    world.reset(3)
    assert world.step(assignment).response_ms == first
    drawn = []
    for seed in range(400):
        world.reset(seed)
        drawn.append(list(world.step(assignment).response_ms.values()))
    expected = world.expected_ms(state, choice[None])[0]
    assert np.mean(drawn, axis=0) == pytest.approx(expected, rel=0.02)


def test_more_load_is_never_faster() -> None:
    for world in (paper("D"), crowded(), many_edges(6, 2)):
        n = len(world.platform.devices)
        for option in (8, 9):
            growing = np.array([[option] * k + [0] * (n - k) for k in range(1, n + 1)])
            first = world.expected_ms(world.initial, growing)[:, 0]
            assert (np.diff(first) >= 0).all()


def test_a_missing_device_is_an_error() -> None:
    world = paper("A", 2)
    world.reset(0)
    with pytest.raises(KeyError):
        world.step({"S1": Option("d0", "L")})


def test_an_unknown_scenario_is_refused() -> None:
    with pytest.raises(ValueError, match="one of A, B, C, D"):
        paper("E")


def test_every_state_changes_in_the_dynamic_world_and_a_device_is_always_active() -> None:
    world = Dynamic(paper("A", 3), link_flip=0.2, load_move=0.2, leave=0.3)
    state, seen = world.reset(0), set()
    for _ in range(200):
        devices = active(world.platform, state)
        assert devices
        state = world.step(decode(world.platform, devices, [3] * len(devices))).state
        seen.add((state.active, state.node("edge").cpu, state.node("S1").weak))
    assert len(seen) > 20


def test_a_shift_happens_once_and_undoes_itself_on_reset() -> None:
    world = shift(2, at=3)
    world.reset(0)
    busy = [world.step(dict.fromkeys(("S1", "S2"), Option("d3", "L"))).state for _ in range(4)]
    assert [s.node("edge").cpu for s in busy] == [0.0, 0.0, 0.6, 0.6]
    assert world.reset(0).node("edge").cpu == 0.0


def test_other_models_have_other_accuracies() -> None:
    assert other_models().platform.accuracy != paper().platform.accuracy


def test_all_joint_assignments_of_five_at_once() -> None:
    world = paper("B")
    choices = np.array(list(itertools.product(range(10), repeat=5)))
    assert world.expected_ms(world.initial, choices).shape == (10**5, 5)


@pytest.mark.parametrize("action", ["joint", "multi"])
@pytest.mark.filterwarnings("ignore::UserWarning")  # the checker's advice on unbounded boxes
def test_the_gymnasium_wrapper_passes_the_checker(action) -> None:
    check_env(Orchestration(paper("B", 3), 85.0, action), skip_render_check=True)


def test_a_missed_goal_costs() -> None:
    env = Orchestration(paper("A", 2), 85.0, "joint", horizon=1)
    env.reset(seed=0)
    fast = env.step(77)
    env.reset(seed=0)
    accurate = env.step(22)
    assert fast[4]["accuracy_pct"] == pytest.approx(72.8)
    assert fast[1] < accurate[1] and fast[3]


def test_too_many_joint_actions_are_refused() -> None:
    with pytest.raises(ValueError, match="too many"):
        Orchestration(paper("A", 9), "min", "joint")


def test_an_empty_state_has_no_active_device() -> None:
    assert active(paper().platform, State(())) == ()
