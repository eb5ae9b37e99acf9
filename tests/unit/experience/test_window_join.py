"""Outcomes join windows by number: in any order, once, none lost or invented."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tercet.experience.translation import experience_of, platform_of
from tercet.experience.window_join import WindowJoiner
from tercet.experience.window_record import InForce, WindowRecord
from tercet.rl.costs.checks import check_experience
from tercet.schemas.experience_v2 import Experience
from tercet.schemas.fleet import Condition, Fleet
from tercet.schemas.outcome import Attempt, Outcome
from tercet.schemas.window_v1 import Window

FLEET = Fleet(
    devices=("a", "b"),
    home=("e", "e"),
    options=("d0@L", "d3@L", "d0@E", "d0@C"),
    accuracy_pct={"d0": 90.0, "d3": 75.0},
    deadline_ms=500.0,
)
IN_FORCE = InForce(
    fleet=FLEET,
    goal="85",
    policy="explore",
    policy_version=1,
    assigned={"a": "d0@E", "b": "d3@L"},
    greedy={},
    demand={"a": 2.0, "b": 0.1},
    state={"e": Condition(cpu=0.5)},
)
GRACE = 2.0
START = datetime(2026, 1, 1, tzinfo=UTC)


OTHER = replace(IN_FORCE, assigned={"a": "d0@L", "b": "d0@E"})
"""Other users of every node but the cloud, which has none."""


def record(number: int, assignment: int | None = None) -> WindowRecord:
    """In every second window other options are in force, or as `assignment` says."""
    assignment = number if assignment is None else assignment
    window = Window(id=UUID(int=number), number=number, start=START, length_s=1,
                    assignment=assignment)  # fmt: skip
    return WindowRecord(window, (OTHER, IN_FORCE)[assignment % 2], began=float(number))


def joiner(windows: int, *assignments: int) -> WindowJoiner:
    """Windows 1, 2, … of a second each, the last one open."""
    found = WindowJoiner(GRACE, GRACE)
    for number in range(1, windows + 1):
        found.open(record(number, assignments[number - 1] if assignments else None))
    return found


def outcome(device: str = "a", window: int | None = 1, ms: float = 50.0, **more: object) -> Outcome:
    usual = {"node": "e", "assigned": "d0@E", "executed": "d0@E"}
    return Outcome(device=device, response_ms=ms, window=window, **{**usual, **more})


@st.composite
def outcomes(draw: st.DrawFn) -> Outcome:
    count = draw(st.integers(1, 5))
    option = draw(st.sampled_from(FLEET.options))
    ms = draw(st.floats(1.0, 2000.0))
    device = draw(st.sampled_from(FLEET.devices))
    failed = Attempt(option="d0@C", node="cloud", result="timed-out", ms=ms / 2)
    straddled = draw(st.booleans()) and not option.endswith("C")
    last = Attempt(option=option, node=FLEET.node(device, option), ms=ms / 2)
    return Outcome(
        id=draw(st.uuids()),
        device=device,
        node=last.node,
        executed=option,
        response_ms=ms,
        queue_ms=ms / 4,
        compute_ms=ms / 8,
        attempts=(failed, last) if count == 1 and draw(st.booleans()) else (),
        window=draw(st.integers(1, 4)),
        straddled=straddled,
        count=count,
        spread_ms=draw(st.floats(0.0, 3000.0)),
        in_time=draw(st.none() | st.integers(0, count)),
    )


def joined(came: list[Outcome]) -> dict[int, Experience]:
    windows = joiner(5)
    for message in came:
        windows.add(message, now=5.5)
    closed = [w.join() for w in windows.due(now=10.0)]
    return {e.window: e for e in closed if e is not None}


@settings(max_examples=60, deadline=None)
@given(st.lists(outcomes(), max_size=25, unique_by=lambda o: o.id), st.randoms())
def test_order_and_duplicates_do_not_matter(made: list[Outcome], rng: random.Random) -> None:
    again = [*made, *rng.sample(made, len(made) // 2)]
    rng.shuffle(again)
    for number, experience in (first := joined(made)).items():
        other = joined(again)[number]
        assert experience.model_dump(exclude={"at"}) == other.model_dump(exclude={"at"})
    assert first.keys() == joined(again).keys() == {o.window for o in made}


@settings(max_examples=60, deadline=None)
@given(st.lists(outcomes(), max_size=25, unique_by=lambda o: o.id))
def test_nothing_is_lost_or_invented(made: list[Outcome]) -> None:
    counted, tried = Counter[tuple[int, str]](), Counter[tuple[int, str, bool]]()
    for o in made:
        assert o.window is not None
        counted[o.window, o.device] += o.count
        tried[o.window, o.device, o.straddled] += o.count * max(1, len(o.attempts))
    found = joined(made)
    requests = {(e.window, r.device): r for e in found.values() for r in e.requests}
    assert {key: r.count for key, r in requests.items()} == counted
    for (window, device), r in requests.items():
        of = [o for o in made if (o.window, o.device) == (window, device)]
        assert r.straddled == sum(o.count for o in of if o.straddled)
        assert (r.settled > 0) == any(not o.straddled for o in of)
        assert 0 < r.total_ms <= r.count * 2 * FLEET.deadline_ms
    attempts = Counter[tuple[int, str, bool]]()
    for e in found.values():
        for a in e.attempts:
            attempts[e.window, a.device, a.straddled] += a.count
    assert attempts == tried


@settings(max_examples=40, deadline=None)
@given(st.lists(outcomes(), min_size=1, max_size=15, unique_by=lambda o: o.id))
def test_what_straddled_teaches_no_load(made: list[Outcome]) -> None:
    for experience in joined(made).values():
        mine = [o for o in made if o.window == experience.window]
        settled = {o.device for o in mine if not o.straddled}
        assert experience.teaches == bool(settled)
        if settled:
            learned = experience_of(experience)
            assert learned.response_ms.keys() == settled
            assert sum(learned.counts.values()) == sum(r.settled for r in experience.requests)
            check_experience(learned, platform_of(FLEET))


def test_a_silent_device_is_absent_and_nobody_waits_for_it() -> None:
    windows = joiner(2)
    assert windows.add(outcome(), now=1.5) == "counted"
    assert windows.due(now=3.9) == []
    (closed,) = windows.due(now=4.0)
    experience = closed.join()
    assert experience is not None
    assert (experience.silent, list(experience.response_ms)) == (("b",), ["a"])
    assert experience_of(experience).state.demand == {"a": 2.0, "b": 0.1}
    later = closed.join({"a": 3.0})
    assert later is not None and experience_of(later).state.demand == {"a": 3.0, "b": 0.1}


def test_a_window_without_requests_has_no_experience() -> None:
    windows = joiner(2)
    (closed,) = windows.due(now=4.0)
    assert closed.join() is None and closed.arrived == {}


def test_late_ones_are_counted_as_late_once() -> None:
    windows, late = joiner(2), outcome()
    windows.due(now=4.0)
    assert windows.add(late, now=4.1) == "late"
    assert windows.add(late, now=4.2) == "duplicate"
    assert windows.late_by(1, now=4.5) == 2.5


def test_windows_wait_no_longer_than_outcomes_take_and_as_long_after_a_slow_one() -> None:
    windows, waited = WindowJoiner(1.0, 10.0), dict[int, float]()
    for number in range(1, 320):
        windows.open(record(number))
        windows.due(now=float(number))
        if number < 200:
            windows.add(outcome(window=max(number - 3, 1)), now=float(number))
        waited[number] = windows.grace_s
    assert [waited[n] for n in (1, 3, 10, 199, 290, 319)] == [1.0, 2.0, 4.0, 4.0, 4.0, 1.0]


@pytest.mark.parametrize(
    "stranger",
    [
        outcome(window=9),
        outcome(window=None, ms=60_000.0),
        outcome("c"),
        outcome(executed="d7@L"),
    ],
)
def test_what_belongs_nowhere_is_not_counted(stranger: Outcome) -> None:
    assert joiner(2).add(stranger, now=2.5) == "unknown"


def test_without_a_number_it_belongs_to_the_window_of_its_arrival() -> None:
    """And it straddles, if the assignment has changed since."""
    windows = joiner(3, 1, 1, 2)
    assert windows.add(outcome(window=None, ms=1000.0), now=3.2) == "counted"
    assert windows.add(outcome("b", window=None, ms=100.0), now=3.2) == "counted"
    windows.open(record(4, 2))
    of = {w.number: w for w in windows.due(now=9.0)}
    assert [o.straddled for o in of[2].outcomes.values()] == [True]
    assert [o.straddled for o in of[3].outcomes.values()] == [False]


def test_it_straddles_only_where_the_load_of_its_node_was_changed() -> None:
    """All that the gateway knows is that some device's option was changed."""
    windows = joiner(3, 1, 1, 2)
    at_the_cloud = {"executed": "d0@C", "node": "cloud", "straddled": True}
    windows.add(outcome(window=2, **at_the_cloud), now=3.1)
    windows.add(outcome(window=2, straddled=True), now=3.1)
    (_, closed) = (*windows.due(now=4.0), *windows.due(now=9.0))
    assert sorted((o.executed, o.straddled) for o in closed.outcomes.values()) == [
        ("d0@C", False), ("d0@E", True),
    ]  # fmt: skip


def test_requests_that_avoid_a_node_teach_nothing_of_it() -> None:
    """The gateway tries a node that does not answer with one request only, the others ran at once:
    their short times are none of that node."""
    windows, in_force = joiner(0), replace(IN_FORCE, assigned={"a": "d0@C", "b": "d3@L"})
    windows.open(replace(record(1), in_force=in_force))
    windows.open(replace(record(2), in_force=in_force))
    failed = Attempt(option="d0@C", node="cloud", result="timed-out", ms=400.0)
    local = Attempt(option="d3@L", node="a", ms=30.0)
    windows.add(outcome(executed="d3@L", ms=430.0, attempts=(failed, local)), now=1.5)
    for _ in range(9):
        windows.add(outcome(executed="d3@L", ms=30.0, attempts=(local,)), now=1.5)
    (closed,) = windows.due(now=4.0)
    experience = closed.join()
    assert experience is not None
    (requests,) = experience.requests
    assert (requests.count, requests.elsewhere, requests.total_ms) == (10, 9, 700.0)
    learned = experience_of(experience)
    assert (str(learned.assignment["a"]), learned.response_ms["a"]) == ("d0@C", 430.0)
    assert [(a.result, a.count) for a in learned.attempts["a"]] == [("timed-out", 1)]


def test_numbers_count_up() -> None:
    with pytest.raises(ValueError, match="window 2 after 2"):
        joiner(2).open(record(2))


def test_a_request_that_is_not_answered_in_time_costs_two_deadlines() -> None:
    windows = joiner(2)
    failed = Attempt(option="d0@E", node="e", result="timed-out", ms=400.0)
    windows.add(outcome(ms=400.0, attempts=(failed,)), now=1.5)
    windows.add(outcome(ms=600.0), now=1.6)
    windows.add(outcome(ms=600.0, deadline_ms=700.0), now=1.6)
    windows.add(outcome(ms=100.0, count=4, in_time=3), now=1.6)
    (closed,) = windows.due(now=4.0)
    experience = closed.join()
    assert experience is not None
    (requests,) = experience.requests
    assert (requests.count, requests.answered_in_time) == (7, 4)
    assert requests.total_ms == pytest.approx(1000 + 1000 + 600 + 300 + 1000)
    assert experience.answered_in_time == pytest.approx(4 / 7)
