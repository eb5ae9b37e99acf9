"""`hybrid`: it learns, is reproducible, adapts to a changing platform, and is serialised."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from tercet.rl.experience import Experience, NodeState, State
from tercet.rl.hybrid import (
    ExplorationBudget,
    Hybrid,
    HybridSettings,
    PolicyEstimator,
    SystemModel,
    decide,
    explore,
    from_bytes,
    plan,
    stack,
    to_bytes,
)
from tercet.rl.hybrid.decision import read
from tercet.rl.options import OPTIONS, PAPER_ACCURACY, Option
from tercet.rl.platform import Platform, mean_accuracy

DEVICES = ("a", "b", "c")
PLATFORM = Platform(DEVICES, ("edge",) * 3, PAPER_ACCURACY)
STATE = State(DEVICES, {"a": NodeState(weak=True, link_ms=20.0)})
SMALL = HybridSettings(members=3, hidden=8)


def true_ms(assignment: dict[str, Option]) -> dict[str, float]:
    """A small world: more accurate is slower, shared nodes slow down with load."""
    edge = sum(o.tier == "E" for o in assignment.values())
    cloud = sum(o.tier == "C" for o in assignment.values())
    times = {"L": 0.0, "E": 60.0 * edge, "C": 40.0 + 50.0 * cloud}
    local = {o: 20.0 * (PAPER_ACCURACY[o.variant] - 70.0) for o in OPTIONS}
    return {d: local[o] if o.tier == "L" else times[o.tier] for d, o in assignment.items()}


def play(agent: Hybrid, rounds: int, mean_only: bool = False, goal: float = 85.0) -> list[str]:
    rng, chosen = np.random.default_rng(7), []
    for _ in range(rounds):
        assignment = dict(agent.act(STATE, goal))
        ms = {d: x * np.exp(0.05 * rng.normal()) for d, x in true_ms(assignment).items()}
        average = float(np.mean(list(ms.values())))
        agent.observe(Experience(STATE, assignment, {} if mean_only else ms, average, STATE, goal))
        chosen.append(" ".join(str(o) for o in assignment.values()))
    return chosen


@pytest.mark.parametrize("mean_only", [False, True])
def test_it_learns_to_meet_the_goal_quickly(mean_only: bool) -> None:
    agent = Hybrid(PLATFORM, seed=1, settings=SMALL)
    play(agent, 40, mean_only)
    greedy = dict(agent.greedy(STATE, 85.0))
    assert mean_accuracy(PLATFORM, greedy) >= 85.0
    best = min(
        np.mean(list(true_ms(found).values()))
        for choice in itertools.product(OPTIONS, repeat=3)
        if mean_accuracy(PLATFORM, found := dict(zip(DEVICES, choice, strict=True))) >= 85.0
    )
    assert np.mean(list(true_ms(greedy).values())) <= 1.05 * best


def test_the_same_seed_gives_the_same_run() -> None:
    first, second = (play(Hybrid(PLATFORM, 5, SMALL), 8) for _ in range(2))
    assert first == second
    assert first != play(Hybrid(PLATFORM, 6, SMALL), 8)


def test_greedy_changes_nothing() -> None:
    agent = Hybrid(PLATFORM, 5, SMALL)
    before = agent.rng.bit_generator.state
    agent.greedy(STATE, "max")
    assert agent.rng.bit_generator.state == before


def real(assignment: dict[str, Option], **kwargs) -> Experience:
    ms = true_ms(assignment)
    return Experience(
        STATE, assignment, ms, float(np.mean(list(ms.values()))), STATE, 80.0, **kwargs
    )


def test_parameters_are_serialised_unchanged_and_malformed_ones_refused() -> None:
    policy = PolicyEstimator.create(PLATFORM, SMALL, np.random.default_rng(0))
    policy.observe(real(dict.fromkeys(DEVICES, Option("d3", "L"))))
    sent = policy.fit()
    read = from_bytes(to_bytes(sent))
    assert all(np.array_equal(sent[name], read[name]) for name in sent)
    assert (
        decide(read, PLATFORM, STATE, 80.0).assignment
        == decide(sent, PLATFORM, STATE, 80.0).assignment
    )
    with pytest.raises(ValueError, match="not safetensors"):
        from_bytes(b"nonsense")
    with pytest.raises(ValueError, match="named"):
        from_bytes(to_bytes({k: v for k, v in sent.items() if k != "mean"}))
    with pytest.raises(ValueError, match="not finite"):
        from_bytes(to_bytes(sent | {"mean": sent["mean"] * float("nan")}))
    with pytest.raises(ValueError, match="shape"):
        from_bytes(to_bytes(sent | {"mean": sent["mean"][:, 1:]}))


def test_a_new_device_gets_an_assignment() -> None:
    policy = PolicyEstimator.create(PLATFORM, SMALL, np.random.default_rng(0))
    policy.observe(real(dict.fromkeys(DEVICES, Option("d3", "L"))))
    parameters = policy.fit()
    grown = Platform((*DEVICES, "new"), ("edge",) * 3 + ("edge-2",), PAPER_ACCURACY)
    state = State(("a", "new"))
    decision = decide(parameters, grown, state, 80.0, head=1, rng=np.random.default_rng(2))
    assert set(decision.assignment) == {"a", "new"} and decision.accuracy >= 80.0
    policy.change_platform(grown)
    policy.observe(
        Experience(state, decision.assignment, {"a": 10.0, "new": 99.0}, 54.5, state, 80.0)
    )
    assert decide(policy.fit(), grown, state, 80.0).feasible


def test_the_times_of_a_quarantined_device_are_not_sampled() -> None:
    policy = PolicyEstimator.create(PLATFORM, SMALL, np.random.default_rng(0))
    policy.observe(real(dict.fromkeys(DEVICES, Option("d3", "L"))))
    parameters, rng = policy.fit(), np.random.default_rng(2)
    heads = [
        decide(parameters, PLATFORM, STATE, 80.0, head, rng, quarantined=("b",)).table
        for head in range(SMALL.members)
    ]
    for table in heads[1:]:
        assert (table[0] != heads[0][0]).any() and (table[2] != heads[0][2]).any()
        assert table[1] == pytest.approx(heads[0][1], rel=0.1)  # each head has its own noise


def test_members_trained_apart_plan_together_and_heads_use_their_own_plans() -> None:
    experience = real({"a": Option("d3", "L"), "b": Option("d0", "E"), "c": Option("d0", "C")})
    parts = []
    for slots in ((0, 1), (2,)):
        model = SystemModel.create(PLATFORM, SMALL, slots, np.random.default_rng(slots[0]))
        model.observe(experience)
        parts.append(model.fit())
    planned = plan(stack(parts), PLATFORM, STATE, 80.0, count=2, rng=np.random.default_rng(0))
    assert sorted({p.member for p in planned}) == [0, 1, 2]
    assert all(mean_accuracy(PLATFORM, p.assignment) >= 80.0 - 1e-9 for p in planned)
    policy = PolicyEstimator.create(PLATFORM, SMALL, np.random.default_rng(3))
    policy.observe(experience)
    for p in planned:
        policy.observe(p)
    assert [len(d) for d in policy.plans] == [
        len({str(p.assignment) for p in planned if p.member == m}) for m in range(3)
    ]
    policy.fit(alpha=0.5)


def test_a_lower_bound_never_lowers_an_expectation() -> None:
    policy = PolicyEstimator.create(PLATFORM, SMALL, np.random.default_rng(0))
    slow = dict.fromkeys(DEVICES, Option("d0", "L"))
    for _ in range(5):
        policy.observe(real(slow))
    before = decide(policy.fit(), PLATFORM, STATE, "max").table[0, 0, 0]
    censored = Experience(
        STATE, slow, dict.fromkeys(DEVICES, 10.0), 10.0, STATE, "max", frozenset(DEVICES)
    )
    policy.observe(censored)
    after = decide(policy.fit(), PLATFORM, STATE, "max").table[0, 0, 0]
    assert after == pytest.approx(before, rel=0.1)


def test_no_active_device_is_an_empty_decision() -> None:
    policy = PolicyEstimator.create(PLATFORM, SMALL, np.random.default_rng(0))
    assert decide(policy.fit(), PLATFORM, State(()), 80.0).assignment == {}


def test_exploration_spends_no_more_than_its_budget_and_never_stops() -> None:
    agent = Hybrid(PLATFORM, seed=2, settings=SMALL)
    play(agent, 6)
    rng, budget, explored, spent = np.random.default_rng(0), ExplorationBudget(share=0.02), 0, 0.0
    greedy = agent.decide(STATE, 85.0, None)
    for _ in range(300):
        decision, budget = explore(agent.parameters, PLATFORM, STATE, 85.0, SMALL, rng, budget)
        assert budget is not None and budget.saved >= -1e-9
        explored += decision.head is not None
        predicted = read(PLATFORM, greedy.devices, decision.assignment, greedy.table)
        spent += np.mean(list(predicted.values())) - greedy.average_ms
    assert spent <= 300 * 0.02 * greedy.average_ms + 1e-6
    assert explored > 0


def test_a_measured_profile_ranks_variants_before_any_is_tried() -> None:
    profile = {d: {o.variant: 100.0 / (1 + k) for k, o in enumerate(OPTIONS[:8])} for d in DEVICES}
    policy = PolicyEstimator.create(PLATFORM, SMALL, np.random.default_rng(0), profile)
    first = decide(policy.fit(), PLATFORM, STATE, "min", profile=profile)
    local = first.table[0, :8, 0]
    assert (np.diff(local) < 0).all()


def test_a_new_device_starts_from_the_labels_of_the_others() -> None:
    agent = Hybrid(PLATFORM, seed=1, settings=SMALL)
    play(agent, 20)
    grown = Platform((*DEVICES, "new"), ("edge",) * 4, PAPER_ACCURACY)
    state = State((*DEVICES, "new"), STATE.nodes)
    decision = decide(agent.parameters, grown, state, "min")
    assert decision.table[3, 7, 0] == pytest.approx(decision.table[1, 7, 0], rel=0.5)


@pytest.mark.parametrize("mean_only", [False, True])
def test_predictions_stay_when_a_device_joins(mean_only: bool) -> None:
    agent = Hybrid(PLATFORM, seed=1, settings=SMALL)
    play(agent, 25, mean_only)
    before = agent.decide(STATE, 85.0, None)
    grown = Platform(("new", *DEVICES), ("edge-0", *["edge"] * 3), PAPER_ACCURACY)
    agent.policy.change_platform(grown)
    after = decide(agent.policy.fit(), grown, STATE, 85.0)
    tried = np.log(after.table / before.table)[:, :8, 0]
    assert np.abs(tried).max() < 0.2
