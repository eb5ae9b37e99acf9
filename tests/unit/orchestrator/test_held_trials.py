"""A trial is held until it was reported on, and no longer than it may be."""

from __future__ import annotations

from tercet.services.orchestrator.decide.held_trials import LONGEST, HeldTrials, asking

GREEDY = {"a": "d0@E", "b": "d3@L"}


def test_what_is_not_explored_is_not_held() -> None:
    held = HeldTrials()
    assert held.held("same") is None
    held.start(GREEDY, GREEDY, "same")
    assert held.held("same") is None


def test_an_explored_option_is_held_until_its_device_has_reported_on_it() -> None:
    held = HeldTrials()
    held.start({"a": "d0@C", "b": "d7@L"}, GREEDY, "same")
    held.reported("a", "d0@E")  # Decided before the trial.
    assert held.held("same") == {"a": "d0@C", "b": "d7@L"}
    held.reported("a", "d0@C")
    assert held.held("same") == {**GREEDY, "b": "d7@L"}
    held.reported("b", "d7@L")
    assert held.held("same") is None


def test_what_is_held_is_paid_for_by_the_requests_that_it_still_concerns() -> None:
    held = HeldTrials()
    held.start({"a": "d0@C", "b": "d7@L"}, GREEDY, "same", {"a": 3.0, "b": 1.0})
    assert held.cost == (0, 0.0)
    held.held("same")
    assert held.cost == (1, 1.0)
    held.reported("a", "d0@C")
    held.held("same")
    assert held.cost == (2, 1.25)


def test_it_ends_when_conditions_change_or_nobody_asks() -> None:
    held = HeldTrials()
    held.start({**GREEDY, "a": "d0@C"}, GREEDY, "goal 85")
    assert held.held("goal 85")
    assert held.held("goal 80") is None
    assert sum(held.held("goal 85") is not None for _ in range(100)) == LONGEST - 3


def test_nothing_is_tried_where_no_request_is_to_be_expected() -> None:
    assert asking({"a": 5.0, "b": 0.2, "c": 0.01}, window_s=1.0) == {"a", "b"}
