"""The deciding role without a bus: schedule, round record, policy."""

from __future__ import annotations

import numpy as np
import pytest

from tercet.experience.fleets import fleet_of
from tercet.experience.translation import experience_of
from tercet.rl.options import Option
from tercet.services.orchestrator.decide.impossible import impossible
from tercet.services.orchestrator.decide.policy import Policy
from tercet.services.orchestrator.decide.schedule import EVALUATED, GREEDY, Schedule
from tercet.services.orchestrator.learn.trainer import Trainer
from tests.integration.services.fixtures import (
    NODES,
    capability,
    context,
    experienced,
    fleet,
    outcome,
    round_record,
    trained_on,
)


def test_learning_comes_first_then_all_policies_in_turn() -> None:
    schedule = Schedule(rounds=3, evaluations=2)
    assert schedule.last == 3 + 2 * len(EVALUATED)
    assert schedule.round(3) == ("learn", "explore")
    policies = [schedule.round(k)[1] for k in range(4, schedule.last + 1)]
    assert policies == [*EVALUATED, *EVALUATED]
    assert not schedule.over(schedule.last)
    assert schedule.over(schedule.last + 1)


def test_a_second_run_counts_on() -> None:
    schedule = Schedule(rounds=3, evaluations=1, after=100)
    assert schedule.round(103) == ("learn", "explore")
    assert schedule.round(104) == ("evaluate", EVALUATED[0])
    assert schedule.last == 103 + len(EVALUATED)


def test_without_an_end_learning_goes_on() -> None:
    schedule = Schedule(rounds=None, evaluations=2)
    assert schedule.last is None
    assert schedule.round(10**6) == ("learn", "explore")


def test_a_weak_newcomer_limits_nobody_but_itself() -> None:
    weak = capability("c", "device", 300).model_copy(update={"accuracy_pct": {"d7": 72.8}})
    found = fleet_of([*NODES, weak])
    assert found is not None
    assert found.options == fleet().options
    assert found.lacks == {"c": ("d0", "d3")}
    for goal in ("min", "80", "max"):
        chosen = Policy(seed=0).choose("greedy", context(found, ("a", "b", "c"), goal))
        assert chosen is not None and chosen["c"] in ("d7@L", "d0@E", "d0@C")
    local = Policy(seed=0).choose("all local", context(found, ("a", "c")))
    assert local is None  # c cannot run d0


@pytest.mark.parametrize(
    ("name", "node", "option"),
    [("all local", "b", None), ("all edge", "edge-1", "d3@E"), ("all cloud", "sky", "d3@C")],
)
def test_a_fixed_policy_takes_the_most_accurate_variant_or_does_not_apply(
    name: str, node: str, option: str | None
) -> None:
    (last,) = (one for one in NODES if one.node == node)
    weak = last.model_copy(update={"accuracy_pct": {"d3": 74.2, "d7": 72.8}})
    found = fleet_of([one for one in NODES if one != last] + [weak])
    chosen = Policy(seed=0).choose(name, context(found))
    assert chosen == (None if option is None else {"a": option, "b": option})
    assert Policy(seed=0).choose(name, context()) is not None


def test_experience_holds_what_was_executed_not_what_was_assigned() -> None:
    record = round_record(a="d0@C", b="d3@L")
    assert record.add(outcome(record, "a", "d7@L", 30, fallback="overloaded"))
    assert record.add(outcome(record, "b", "d3@L", 20))
    assert record.complete
    experience = record.join({})
    assert experience.executed == {"a": "d7@L", "b": "d3@L"}
    assert experience.assigned["a"] == "d0@C"
    assert experience.average_ms == 25
    assert experience.accuracy_pct == pytest.approx((72.8 + 74.2) / 2)
    assert experience.silent == ()
    assert experience.state["a"].cpu == 0.5


def test_who_has_not_reported_at_the_timeout_is_not_in_it() -> None:
    record = round_record(a="d0@C", b="d3@L")
    record.add(outcome(record, "b", "d3@L", 20))
    experience = record.join({})
    assert experience.silent == ("a",)
    assert experience.response_ms == {"b": 20}
    assert experience_of(experience).response_ms == {"b": 20}


def test_a_failed_attempt_is_counted_beside_its_fallback() -> None:
    record = round_record(a="d0@C", b="d3@L")
    facts = {"fallback": "overloaded", "queue_ms": 1, "compute_ms": 19, "decision_ms": 2}
    record.add(outcome(record, "a", "d7@L", 32, network_ms=10, **facts))
    experience = record.join({})
    tried = [(a.option, a.node, a.result, a.total_ms) for a in experience.attempts]
    assert tried == [("d0@C", "sky", "overloaded", 10), ("d7@L", "a", "ok", 20)]
    assert experience.requests[0].parts is None  # they would be those of two places
    assert (experience.silent, experience.response_ms) == (("b",), {"a": 32})


def test_attempts_that_a_device_lists_are_taken_as_they_are() -> None:
    record = round_record(a="d0@C")
    listed = [
        {"option": "d0@C", "node": "sky", "result": "timed-out", "ms": 20},
        {"option": "d7@L", "node": "a", "ms": 10},
    ]
    facts = {"fallback": "no-responder", "attempts": listed, "compute_ms": 9}
    assert record.add(outcome(record, "a", "d7@L", 31, **facts))
    experience = record.join({})
    assert [(a.result, a.total_ms, a.squared_ms) for a in experience.attempts] == [
        ("timed-out", 20, 400),
        ("ok", 10, 100),
    ]
    assert experience.requests[0].parts is not None
    learned = experience_of(experience)
    assert [(str(a.option), a.result, a.count) for a in learned.attempts["a"]] == [
        ("d0@C", "timed-out", 1),
        ("d7@L", "ok", 1),
    ]
    assert learned.parts["a"].compute_ms == 9


def test_whatever_is_not_refused_can_be_joined() -> None:
    rng, kept = np.random.default_rng(0), 0
    for _ in range(300):
        record = round_record(a="d0@C", b="d3@L")
        for device in record.assigned:
            ms, parts = rng.uniform(0, 200), rng.uniform(0, 60, 4)
            names = ("decision_ms", "network_ms", "queue_ms", "compute_ms")
            option, fallback = rng.choice(["d0@L", "d0@C"]), rng.choice(["none", "refused"])
            results = ["refused", "timed-out", "ok"][rng.integers(0, 3) :]
            listed = [
                {"option": option, "node": "sky", "result": result, "ms": rng.uniform(0, 90)}
                for result in results[: rng.integers(0, 4)]
            ]
            facts = dict(zip(names, parts * rng.integers(0, 2), strict=True))
            more = {"fallback": fallback, "attempts": listed, **facts}
            reported = outcome(record, device, str(option), ms, **more)
            if not impossible(reported, 1000.0):
                kept += record.add(reported)
        record.fleet = record.fleet.model_copy(
            update={"deadline_ms": rng.choice([None, 50.0, 150.0])}
        )
        joined = record.join({})
        if joined.requests:
            experience_of(joined)
    assert kept > 100


def test_a_request_costs_a_deadline_and_a_penalty_when_it_is_late() -> None:
    record = round_record(a="d0@C", b="d3@L")
    record.fleet = record.fleet.model_copy(update={"deadline_ms": 100.0})
    record.add(outcome(record, "a", "d0@C", 101))
    record.add(outcome(record, "b", "d3@L", 99))
    experience = record.join({})
    assert experience.response_ms == {"a": 200, "b": 99}
    assert [r.answered_in_time for r in experience.requests] == [0, 1]


def test_a_round_takes_each_device_once_and_only_its_own() -> None:
    record, other = round_record(a="d0@C"), round_record(a="d0@C")
    assert not record.add(outcome(other, "a", "d0@C", 10))
    assert not record.add(outcome(record, "a", "d9@L", 10))
    assert record.add(outcome(record, "a", "d0@C", 10))
    assert not record.add(outcome(record, "a", "d0@C", 99))
    assert record.join({}).response_ms == {"a": 10}


def test_joining_twice_gives_the_same_experience() -> None:
    record = round_record(a="d0@C")
    assert record.join({}).id == record.join({}).id


@pytest.mark.parametrize(
    ("name", "option"), [("all local", "d0@L"), ("all edge", "d0@E"), ("all cloud", "d0@C")]
)
def test_fixed_policies(name: str, option: str) -> None:
    chosen = Policy(seed=0).choose(name, context())
    assert chosen == {"a": option, "b": option}


def test_profile_is_blind_to_contention() -> None:
    """The cloud is fastest for one, so everyone is sent there."""
    chosen = Policy(seed=0).choose("profile", context())
    assert chosen == {"a": "d0@C", "b": "d0@C"}


def test_without_parameters_the_profile_decides() -> None:
    policy = Policy(seed=0)
    assert policy.version is None
    for name in ("explore", GREEDY):
        assert policy.choose(name, context(active=("a",), goal="min")) == {"a": "d0@C"}


def test_malformed_parameters_are_refused() -> None:
    with pytest.raises(ValueError, match="safetensors"):
        Policy(seed=0).adopt(1, b"not safetensors")


def test_parameters_of_other_options_are_not_used() -> None:
    """Other models are installed: fewer options are offered, and the old policy does not fit."""
    policy = Policy(seed=0)
    policy.adopt(1, trained_on(fleet()))
    weak = [node.model_copy(update={"accuracy_pct": {"d7": 72.8}}) for node in NODES]
    smaller = fleet_of(weak)
    assert smaller is not None and smaller.options == ("d7@L", "d7@E", "d7@C")
    chosen = policy.choose("explore", context(smaller, goal="min"))
    assert chosen is not None and set(chosen.values()) <= set(smaller.options)


def test_a_new_device_is_decided_for_by_its_profile_before_it_was_measured() -> None:
    """Response times are learned in proportion to profiles; the new device adds its own."""
    trainer, policy, rng = Trainer(), Policy(seed=0), np.random.default_rng(0)
    times = {"a": fleet().profile_ms["a"], "b": fleet().profile_ms["b"]}
    shared = {"d0@E": 300.0, "d0@C": 200.0}
    for number in range(1, 13):
        executed = {d: str(rng.choice(fleet().options)) for d in ("a", "b")}
        took = {d: shared.get(o) or times[d][o[:2]] for d, o in executed.items()}
        trainer.real(experienced(fleet(), number, executed, took))
    policy.adopt(1, trainer.update() or b"")
    assigned = {}
    for name, ms in (("slow", 4000.0), ("fast", 20.0)):
        joined = fleet_of([*NODES, capability(name, "device", ms)])
        assert joined is not None
        chosen = policy.choose(GREEDY, context(joined, ("a", "b", name), "max"))
        assigned[name] = (chosen or {})[name]
        executed = dict.fromkeys(joined.devices, "d0@L")
        trainer.real(experienced(joined, 20, executed, dict.fromkeys(joined.devices, 100.0)))
    assert assigned["slow"] in ("d0@E", "d0@C") and assigned["fast"] == "d0@L"


@pytest.mark.parametrize("name", ["explore", GREEDY, "profile"])
def test_a_node_that_does_not_answer_is_avoided(name: str) -> None:
    policy = Policy(seed=0)
    if name != "profile":
        policy.adopt(1, trained_on(fleet()))
    chosen = policy.choose(name, context(unavailable=frozenset({"sky", "edge-1"})))
    assert set((chosen or {}).values()) == {"d0@L"}


def test_options_read_as_they_are_written() -> None:
    assert str(Option.parse("d3@L")) == "d3@L"
