"""Which devices a round waits for, and for how long."""

from __future__ import annotations

from tercet.services.orchestrator.decide.missed_rounds import GRACE_S, REMEMBERED, MissedRounds

BOTH = frozenset("ab")


def missing(rounds: MissedRounds, *numbers: int) -> None:
    for number in numbers:
        rounds.closed(number, frozenset("a"), BOTH)


def test_a_device_that_missed_rounds_is_not_waited_for() -> None:
    rounds = MissedRounds()
    missing(rounds, 1)
    assert rounds.awaited(BOTH) == BOTH
    missing(rounds, 2)
    assert rounds.awaited(BOTH) == frozenset("b")


def test_it_is_waited_for_again_when_it_has_reported() -> None:
    rounds = MissedRounds()
    missing(rounds, 1, 2)
    rounds.reported("a", None)  # on no round
    assert rounds.awaited(BOTH) == frozenset("b")
    for number in range(3, 2 + REMEMBERED):
        rounds.closed(number, frozenset(), BOTH)
    assert rounds.awaited(BOTH) == BOTH


def test_a_late_report_is_no_missed_round() -> None:
    rounds = MissedRounds()
    missing(rounds, 1, 2)
    rounds.reported("a", 2)
    assert rounds.awaited(BOTH) == BOTH


def test_a_device_that_has_left_is_forgotten() -> None:
    rounds = MissedRounds()
    missing(rounds, 1, 2)
    rounds.closed(3, frozenset(), frozenset("b"))
    assert rounds.awaited(BOTH) == BOTH


def test_the_others_time_is_the_limit() -> None:
    rounds = MissedRounds()
    assert rounds.close_at(10.0, 10.4) == 10.8
    assert rounds.close_at(10.0, 10.0) == 10.0 + GRACE_S
