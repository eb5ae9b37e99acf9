"""What a system model, values and a policy know travels as arrays; anything else is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tercet.rl.experience import Experience
from tercet.rl.hybrid import GoalValues, Hybrid, PolicyParameters, decide, from_bytes, to_bytes
from tercet.rl.options import Option
from tercet.rl.planning import SystemModel, Values, plan
from tercet.rl.planning.parameters import System, joined, to_parameters
from tercet.sim.carry_over import CarryOverWorld, placebo, queue_carry_over

WORLD = queue_carry_over()


def experienced(world: CarryOverWorld, windows: int = 80) -> Hybrid:
    """An agent that has seen random numbers of its devices use the edge."""
    agent, rng, state = Hybrid(world.platform), np.random.default_rng(3), world.reset(1)
    for _ in range(windows):
        share = rng.random()
        assignment = {
            d: Option("d0", "E") if rng.random() < share else Option("d7", "L")
            for d in world.platform.devices
        }
        found = world.step(assignment)
        agent.observe(
            Experience(
                state, assignment, found.response_ms, found.average_ms, found.state, "min",
                counts=found.counts,
            )
        )  # fmt: skip
        state = found.state
    return agent


@pytest.fixture(scope="module")
def agent() -> Hybrid:
    return experienced(WORLD)


@pytest.fixture(scope="module")
def values(agent: Hybrid) -> Values:
    found = agent.values["min"]
    assert found.nodes == ("edge",)
    return found


def test_members_are_joined_with_a_draw_of_each(agent: Hybrid) -> None:
    members = [to_parameters(agent.system, 1, seed) for seed in range(5)]
    system = System.of(joined([from_bytes(to_bytes(m)) for m in members]))
    assert system.nodes == ("edge",)
    assert system.draws.shape[1] == 5
    assert len(np.unique(system.draws[0, :, 2])) == 5
    np.testing.assert_array_equal(system.conditions[0].mean, members[0]["mean"][0])


def test_only_what_all_members_know_is_planned_for(agent: Hybrid) -> None:
    knows, knows_nothing = to_parameters(agent.system, 1), to_parameters(SystemModel(), 1)
    system = joined([knows, knows_nothing])
    assert System.of(system).nodes == ()
    found = plan(system, agent.costs.knowledge, WORLD.platform, WORLD.initial, "min", 0)
    assert found.values is None
    assert found.experience == ()


def test_planned_windows_go_on_from_each_other_with_a_time_per_device(agent: Hybrid) -> None:
    known = to_parameters(agent.system, 2)
    state = WORLD.with_backlog(WORLD.initial, (9,))
    found = plan(known, agent.costs.knowledge, WORLD.platform, state, "min", 0, windows=3)
    assert [e.member for e in found.experience] == [0, 0, 0, 1, 1, 1]
    first, second = found.experience[:2]
    assert (first.state, second.state) == (state, first.next_state)
    assert first.response_ms.keys() == set(WORLD.platform.devices)
    assert first.average_ms == pytest.approx(np.mean(list(first.response_ms.values())))


def broken(parameters: dict[str, np.ndarray], **to: np.ndarray) -> dict[str, np.ndarray]:
    return {**parameters, **to}


def test_system_models_of_other_versions_and_malformed_ones_are_refused(agent: Hybrid) -> None:
    good = to_parameters(agent.system, 1)
    for parameters, reason in (
        ({"state.sums": np.zeros((3, 5))}, "without draws"),
        (broken(good, extra=np.zeros(2)), "unknown arrays extra"),
        (broken(good, mean=good["mean"][:, :2]), "mean is of shape"),
        (broken(good, mean=np.array(1.0)), "mean is of shape"),
        (broken(good, mean=good["mean"] * np.nan), "mean is not finite"),
        (broken(good, field=good["field"] + 99), "field is unknown"),
        (broken(good, field=good["mean"][:, 0]), "field is of type"),
        (broken(good, grid=good["grid"][:, ::-1]), "grid does not ascend"),
        (broken(good, others=good["others"][:, 1:]), "others does not fit the grid"),
        (broken(good, spread=-good["spread"]), "spread is negative"),
        (broken(good, names=np.zeros(3, np.uint8)), "names cannot be read"),
        (broken(good, names=np.frombuffer(b"[1]", np.uint8)), "no list of names"),
    ):
        with pytest.raises(ValueError, match=reason):
            System.of(parameters)


def test_a_policy_with_values_decides_the_same_when_it_was_serialised(
    agent: Hybrid, values: Values
) -> None:
    sent = PolicyParameters(agent.costs.knowledge, GoalValues("min", values), (("edge", 3),))
    read = PolicyParameters.of(from_bytes(to_bytes(sent.parameters())))
    assert read.probes == (("edge", 3),)
    assert read.values("max") is None
    for backlog in (0, 4, 12):
        state = WORLD.with_backlog(WORLD.initial, (backlog,))
        there, here = (
            decide(p.knowledge, WORLD.platform, state, "min", values=p.values("min"))
            for p in (read, sent)
        )
        assert there.assignment == here.assignment
        assert there.average_ms == pytest.approx(here.average_ms, rel=1e-4)
        assert agent.greedy(state, "min") == here.assignment


def test_what_later_windows_cost_is_no_part_of_the_expected_time(
    agent: Hybrid, values: Values
) -> None:
    known, place, differing = agent.costs.knowledge, WORLD.platform, 0
    for backlog in range(8):
        state = WORLD.with_backlog(WORLD.initial, (backlog,))
        planned = decide(known, place, state, "min", values=values)
        myopic = decide(known, place, state, "min")
        assert planned.average_ms >= myopic.average_ms - 1e-9
        assert planned.solution.cost >= planned.average_ms - 1e-9
        assert myopic.solution.cost == myopic.average_ms
        differing += planned.assignment != myopic.assignment
    assert differing


def test_without_values_the_policy_is_that_of_the_costs_alone(agent: Hybrid) -> None:
    plain = PolicyParameters(agent.costs.knowledge).parameters()
    assert not any(name.startswith("values.") or name == "probes" for name in plain)


def test_policies_with_malformed_values_are_refused(agent: Hybrid, values: Values) -> None:
    good = PolicyParameters(agent.costs.knowledge, GoalValues("min", values)).parameters()
    without_goal = {k: v for k, v in good.items() if k != "values.goal"}
    for parameters, reason in (
        (without_goal, "without goal"),
        (broken(good, **{"values.goal": np.zeros(2, np.uint8)}), "goal cannot be read"),
        (broken(good, **{"values.value": good["values.value"][:, 1:]}), "value does not fit"),
        (broken(good, **{"values.sums": np.zeros(2)}), "unknown arrays sums"),
        (broken(good, probes=np.zeros(2, np.uint8)), "probes cannot be read"),
        (broken(good, probes=np.frombuffer(b'[["edge", 99]]', np.uint8)), "unknown field"),
    ):
        with pytest.raises(ValueError, match=reason):
            PolicyParameters.of(parameters)


def test_a_harmless_backlog_has_no_value() -> None:
    agent = experienced(placebo())
    assert agent.values == {}
    assert System.of(to_parameters(agent.system, 1)).nodes == ()


def test_a_node_that_is_gone_has_no_value_in_a_decision(agent: Hybrid, values: Values) -> None:
    place = replace(WORLD.platform, home=("elsewhere",) * len(WORLD.platform.devices))
    state = WORLD.initial
    planned, myopic = (
        decide(agent.costs.knowledge, place, state, "min", values=v) for v in (values, None)
    )
    assert planned.assignment == myopic.assignment
