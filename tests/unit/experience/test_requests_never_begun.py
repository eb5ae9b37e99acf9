"""What a gateway refused by itself is asked for, costs, and says nothing of a place."""

from __future__ import annotations

from tercet.experience.tally import attempts_of, requests_of
from tercet.rl.options import Option
from tercet.schemas.outcome import Outcome
from tercet.services.gateway.places import ExecutionPlan, Place
from tercet.services.gateway.refused_requests import RefusedRequests
from tercet.services.gateway.window_in_force import Moment
from tests.unit.experience.test_window_join import FLEET, joiner, outcome

REMOTE = ExecutionPlan((Place(Option.parse("d0@E"), "e"),), None)


def never_begun(count: int = 3) -> Outcome:
    tried = [{"option": "d0@E", "node": "e", "result": "overloaded", "ms": 0.0}]
    return outcome(ms=0.001, count=count, in_time=0, attempts=tried, begun=False)


def test_they_cost_two_deadlines_and_teach_no_place() -> None:
    outcomes = [outcome(ms=50.0), outcome(ms=60.0), never_begun(3)]
    (made,) = requests_of(outcomes, FLEET, {"a": "d0@E"})
    assert (made.count, made.answered_in_time, made.elsewhere) == (5, 2, 3)
    assert made.elsewhere_ms == 3 * 2 * 500.0
    assert made.settled_ms == 110.0
    (tried,) = attempts_of(outcomes, FLEET)
    assert (tried.result, tried.count) == ("ok", 2)


def test_they_belong_to_the_demand() -> None:
    joined = joiner(2)
    assert joined.add(never_begun(7), 1.5) == "counted"
    (record,) = joined.due(10.0)
    assert record.arrived == {"a": 7}
    found = record.join({"a": 7.0})
    assert found is not None
    assert not found.teaches
    assert (found.requests[0].count, found.requests[0].settled, found.attempts) == (7, 0, ())


def test_refused_requests_are_counted_by_window_and_reason() -> None:
    now = 0.0
    counts = RefusedRequests("a", clock=lambda: now)
    for window, begun in ((1, False), (1, False), (2, False), (2, True)):
        counts.add(REMOTE, Moment(window, 1), 300.0 if begun else 100.0 * window, begun=begun)
    assert counts.due() == []
    now = 1.0
    found = {(o.window, o.begun): o for o in counts.due()}
    assert {key: o.count for key, o in found.items()} == {
        (1, False): 2, (2, False): 1, (2, True): 1,
    }  # fmt: skip
    assert (found[1, False].deadline_ms, found[2, False].deadline_ms) == (100.0, 200.0)
    assert counts.due() == counts.all() == []


def test_deadlines_of_any_size_can_be_reported() -> None:
    counts = RefusedRequests("a")
    for deadline_ms in (0.0, -5.0, 1e300, None):
        counts.add(REMOTE, Moment(), deadline_ms, begun=False)
    assert sum(o.count for o in counts.all()) == 4
