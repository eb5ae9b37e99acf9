"""`hybrid`: it learns, is reproducible, adapts to a changing platform, and is serialised."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from tercet.rl.costs.choice import problem_of
from tercet.rl.costs.reading import costs_of
from tercet.rl.experience import Experience, NodeState, State
from tercet.rl.hybrid import (
    CostModel,
    Decision,
    Explorer,
    Hybrid,
    Knowledge,
    decide,
    from_bytes,
    from_parameters,
    to_bytes,
    to_parameters,
)
from tercet.rl.options import OPTIONS, PAPER_ACCURACY, Option
from tercet.rl.platform import Platform, mean_accuracy

DEVICES = ("a", "b", "c")
PLATFORM = Platform(DEVICES, ("edge",) * 3, PAPER_ACCURACY)
STATE = State(DEVICES, {"a": NodeState(weak=True, link_ms=20.0)})


def true_ms(assignment: dict[str, Option]) -> dict[str, float]:
    """A small world: more accurate is slower, shared nodes slow down with load."""
    edge = sum(o.tier == "E" for o in assignment.values())
    cloud = sum(o.tier == "C" for o in assignment.values())
    times = {"L": 0.0, "E": 60.0 * edge, "C": 40.0 + 50.0 * cloud}
    local = {o: 20.0 * (PAPER_ACCURACY[o.variant] - 70.0) for o in OPTIONS}
    return {d: local[o] if o.tier == "L" else times[o.tier] for d, o in assignment.items()}


def play(
    agent: Hybrid, rounds: int, mean_only: bool = False, goal: float | str = 85.0
) -> list[str]:
    rng, chosen = np.random.default_rng(7), []
    for _ in range(rounds):
        assignment = dict(agent.act(STATE, goal))
        ms = {d: x * np.exp(0.05 * rng.normal()) for d, x in true_ms(assignment).items()}
        average = float(np.mean(list(ms.values())))
        agent.observe(Experience(STATE, assignment, {} if mean_only else ms, average, STATE, goal))
        chosen.append(" ".join(str(o) for o in assignment.values()))
    return chosen


def best_ms(goal: float) -> float:
    return min(
        float(np.mean(list(true_ms(found).values())))
        for choice in itertools.product(OPTIONS, repeat=3)
        if mean_accuracy(PLATFORM, found := dict(zip(DEVICES, choice, strict=True))) >= goal
    )


@pytest.mark.parametrize("mean_only", [False, True])
def test_it_learns_to_meet_the_goal_quickly(mean_only: bool) -> None:
    agent = Hybrid(PLATFORM, seed=1)
    play(agent, 40, mean_only)
    greedy = dict(agent.greedy(STATE, 85.0))
    assert mean_accuracy(PLATFORM, greedy) >= 85.0
    assert np.mean(list(true_ms(greedy).values())) <= 1.05 * best_ms(85.0)


@pytest.mark.parametrize("seed", range(4))
def test_another_goal_needs_five_windows_at_most(seed: int) -> None:
    agent = Hybrid(PLATFORM, seed)
    play(agent, 30, goal="min")
    for goal, required in (("max", 89.9), ("min", 0.0), (80.0, 80.0), (87.0, 87.0), ("min", 0.0)):
        play(agent, 5, goal=goal)
        greedy = dict(agent.greedy(STATE, goal))
        assert mean_accuracy(PLATFORM, greedy) >= required - 1e-9
        assert np.mean(list(true_ms(greedy).values())) <= 1.01 * best_ms(required - 1e-9)


def test_the_same_seed_gives_the_same_run() -> None:
    first, second = (play(Hybrid(PLATFORM, 5), 8) for _ in range(2))
    assert first == second


def test_greedy_changes_nothing() -> None:
    agent = Hybrid(PLATFORM, 5)
    before = agent.rng.bit_generator.state, replace(agent.explorer)
    agent.greedy(STATE, "max")
    assert (agent.rng.bit_generator.state, agent.explorer) == before


@pytest.fixture(scope="module")
def learned() -> CostModel:
    agent = Hybrid(PLATFORM, seed=1)
    play(agent, 30)
    return agent.costs


def costs(
    known: Knowledge, platform: Platform, state: State = STATE
) -> dict[tuple[str, str, float], float]:
    """(device, option, load) to expected milliseconds."""
    table = known.table(platform, state)
    return {
        (device, str(option), float(load)): float(table.costs[i, k, level])
        for i, device in enumerate(table.devices)
        for k, option in enumerate(platform.options)
        for level, load in enumerate(table.levels)
    }


def test_parameters_are_serialised_and_malformed_ones_refused(learned: CostModel) -> None:
    sent = to_parameters(learned.knowledge)
    read = from_bytes(to_bytes(sent))
    assert all(np.array_equal(sent[name], read[name]) for name in sent)
    assert to_bytes(read) == to_bytes(sent)
    known = from_parameters(read)
    there, here = costs(known, PLATFORM), costs(learned.knowledge, PLATFORM)
    assert there.keys() == here.keys()
    assert there == pytest.approx(here, rel=1e-4)  # they travel in single precision
    with pytest.raises(ValueError, match="not safetensors"):
        from_bytes(b"nonsense")
    for change, reason in (
        ({"mean": sent["mean"] * np.float32("nan")}, "not finite"),
        ({"mean": sent["mean"][1:]}, "length"),
        ({"names": np.zeros(3, np.uint8)}, "names cannot be read"),
    ):
        with pytest.raises(ValueError, match=reason):
            from_parameters({**sent, **change})
    with pytest.raises(ValueError, match="without mean"):
        from_parameters({k: v for k, v in sent.items() if k != "mean"})


def test_a_view_that_is_not_contiguous_is_written_as_what_it_shows() -> None:
    array = np.arange(6, dtype=np.float32)
    assert to_bytes({"a": np.repeat(array, 2)[::2]}) == to_bytes({"a": array})


def test_a_type_that_numpy_does_not_have_is_malformed() -> None:
    good = to_bytes({"a": np.zeros(2, dtype=np.float32)})
    header = good.replace(b'"dtype":"F32","shape":[2]', b'"dtype":"BF16","shape":[4]')
    grown = (len(header) - len(good) + int.from_bytes(good[:8], "little")).to_bytes(8, "little")
    with pytest.raises(ValueError, match="not safetensors"):
        from_bytes(grown + header[8:])


def test_a_new_device_gets_an_assignment_and_is_learned_of(learned: CostModel) -> None:
    known = from_parameters(to_parameters(learned.knowledge))
    grown = Platform((*DEVICES, "new"), ("edge",) * 3 + ("edge-2",), PAPER_ACCURACY)
    state = State(("a", "new"))
    decision = decide(known, grown, state, 80.0)
    assert set(decision.assignment) == {"a", "new"}
    assert decision.solution.feasible and decision.solution.accuracy >= 80.0


def test_no_active_device_is_an_empty_decision(learned: CostModel) -> None:
    assert decide(learned.knowledge, PLATFORM, State(()), 80.0).assignment == {}


def test_an_unavailable_node_is_the_last_resort(learned: CostModel) -> None:
    away = {"edge", "cloud"}
    found = decide(learned.knowledge, PLATFORM, STATE, "max", unavailable=away).assignment
    assert {o.tier for o in found.values()} == {"L"}
    everything = {*away, *DEVICES}
    none = decide(learned.knowledge, PLATFORM, STATE, "max", unavailable=everything)
    assert set(none.assignment) == set(DEVICES)


def test_exploration_spends_no_more_than_its_budget(learned: CostModel) -> None:
    rng, explorer = np.random.default_rng(0), Explorer(share=0.02, saved=0.0)
    greedy: Decision = decide(learned.knowledge, PLATFORM, STATE, 85.0)
    problem, spent = problem_of(greedy.table, 85.0), 0.0
    for number in range(1, 101):
        tried = explorer.explore(greedy.table, problem, greedy.solution, rng)
        spent += costs_of(greedy.table, tried.choice).mean() / greedy.average_ms - 1.0
        assert spent <= 0.02 * number + 0.021  # one trial more than was saved, of the least cost


def test_a_measured_profile_ranks_variants_before_any_is_tried() -> None:
    profile = {d: {o.variant: 100.0 / (1 + k) for k, o in enumerate(OPTIONS[:8])} for d in DEVICES}
    table = CostModel().knowledge.table(PLATFORM, STATE, profile)
    assert (np.diff(table.costs[0, :8, 0]) < 0).all()


def test_a_new_device_starts_from_the_labels_of_the_others(learned: CostModel) -> None:
    grown = Platform((*DEVICES, "new"), ("edge",) * 4, PAPER_ACCURACY)
    table = learned.knowledge.table(grown, State((*DEVICES, "new"), STATE.nodes))
    tried = np.flatnonzero(table.tried[1, :8])
    assert len(tried)
    for k in tried:
        assert table.costs[3, k, 0] == pytest.approx(table.costs[1, k, 0], rel=1.0)


@pytest.mark.parametrize("mean_only", [False, True])
def test_what_is_known_of_others_stays_when_some_come_and_go(mean_only: bool) -> None:
    """Devices, edges and options; in any order."""
    agent = Hybrid(PLATFORM, seed=1)
    play(agent, 25, mean_only)
    before = costs(agent.costs.knowledge, PLATFORM)
    grown = Platform(
        ("new", *DEVICES),
        ("edge-0", *["edge"] * 3),
        {**PAPER_ACCURACY, "x9": 80.0},
        (Option("x9", "L"), *OPTIONS, Option("x9", "E")),
    )
    shrunk = Platform(("c", "a"), ("edge",) * 2, PAPER_ACCURACY, OPTIONS[3:])
    for platform in (grown, shrunk, PLATFORM):
        after = costs(agent.costs.knowledge, platform)
        same = before.keys() & after.keys()
        assert same
        assert {k: after[k] for k in same} == pytest.approx({k: before[k] for k in same})


def test_a_window_on_another_platform_moves_what_is_known() -> None:
    agent = Hybrid(PLATFORM, seed=1)
    play(agent, 25)
    before = costs(agent.costs.knowledge, PLATFORM)["a", "d3@L", 1.0]
    other = Platform(("b", "a"), ("edge",) * 2, PAPER_ACCURACY, OPTIONS[2:])
    agent.change_platform(other)
    slow = {"a": Option("d3", "L"), "b": Option("d3", "L")}
    for _ in range(10):
        ms = {"a": 4 * before, "b": true_ms(slow)["b"]}
        seen = State(("a", "b"), STATE.nodes)
        agent.observe(Experience(seen, slow, ms, 1.0, seen, "min"))
    assert costs(agent.costs.knowledge, PLATFORM)["a", "d3@L", 1.0] > 2 * before
