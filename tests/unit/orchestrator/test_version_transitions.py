"""Which version of the policy decides: the pure functions, event by event."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from tercet.rl.degradation import WINDOW
from tercet.schemas.experience_v2 import Experience
from tercet.schemas.fleet import Fleet
from tercet.schemas.parameters import Parameters
from tercet.schemas.policy import PolicySet
from tercet.schemas.versions import Version, Versions
from tercet.schemas.window import ActiveRow, one_request_each
from tercet.services.orchestrator.decide import version_transitions
from tercet.services.orchestrator.decide.version_state import (
    EARLIER,
    KEPT,
    KnownVersion,
    VersionState,
)
from tercet.services.orchestrator.decide.version_transitions import (
    Adopt,
    CompareCosts,
    ForgetParameters,
    KeepBlob,
    ReturnTo,
)

FLEET = Fleet(devices=("a",), home=("e",), options=("d0@L",), accuracy_pct={"d0": 90.0})


@cache
def pointer(version: int, round_: int = 0) -> Parameters:
    key, sha256 = str(version), "0" * 64
    return Parameters(owner="policy", version=version, key=key, sha256=sha256, round=round_)


def known(version: int, kept: str = "") -> KnownVersion:
    return KnownVersion(pointer(version), b"blob", kept)


def having(*versions: KnownVersion, **fields: Any) -> VersionState:
    """A state that knows some versions, the last of them in force."""
    by_number = {k.version: k for k in versions}
    in_force = versions[-1].version if versions else None
    return VersionState(versions=by_number, **{"in_force": in_force, **fields})


def barred(state: VersionState) -> dict[int, str]:
    """Versions that must not decide, and why."""
    return {v: k.rejected for v, k in state.versions.items() if k.barred}


def closed(version: int | None, ms: float, number: int, **fields: Any) -> Experience:
    """A learning round that executed the greedy assignment."""
    requests, attempts = one_request_each(FLEET, {"a": "d0@L"}, {"a": ms})
    greedy = fields.pop("greedy", "d0@L")
    measured = {"requests": requests, "attempts": attempts}
    return Experience(
        window=number,
        policy="explore",
        policy_version=version,
        goal="min",
        fleet=FLEET,
        active=(ActiveRow(device="a", assigned="d0@L", greedy=greedy),),
        state={},
        next_state={},
        **{**measured, **fields},
    )


def window(state: VersionState, ms: float) -> version_transitions.Step:
    """A full window of the version in force; only its last round may need actions."""
    for number in range(WINDOW):
        found = closed(state.in_force, ms + number % 3, number + 1)
        state, actions = version_transitions.round_closed(state, found)
        assert actions == () or number == WINDOW - 1
    return state, actions


def suspected() -> VersionState:
    """Version 1 got worse than version 0, which decides for a window."""
    state, _ = window(having(known(0, "5"), known(1), good=0), 100.0)
    state = replace(state, good=0)
    state, actions = window(state, 200.0)
    assert actions == (CompareCosts(known(0, "5")),)
    state, actions = version_transitions.compared(state, known(0, "5"), (200.0, 100.0))
    assert actions == (ReturnTo(known(0, "5")),)
    return state


def test_a_newer_version_is_adopted_before_the_next_round() -> None:
    state, actions = version_transitions.announced(VersionState(), pointer(0, round_=4))
    assert (actions, state.newest_round, state.adopted_round) == ((), 4, 0)
    state, actions = version_transitions.round_opens(state)
    assert actions == (Adopt(pointer(0, round_=4)),)
    state, actions = version_transitions.adopted(state, KnownVersion(pointer(0, round_=4), b"blob"))
    assert (actions, state.in_force, state.adopted_round, state.candidate) == ((), 0, 4, None)
    assert version_transitions.round_opens(state) == (state, ())


@pytest.mark.parametrize("version", [0, 1])
def test_a_version_that_is_not_newer_is_passed_over(version: int) -> None:
    state, _ = version_transitions.announced(having(known(1)), pointer(version))
    state, actions = version_transitions.round_opens(state)
    assert (actions, state.candidate) == ((), None)


@pytest.mark.parametrize("hold", [{"pinned": 0}, {"cooldown_rounds": 1}])
def test_a_candidate_waits_while_newer_versions_are_held(hold: dict[str, int]) -> None:
    state, _ = version_transitions.announced(having(known(0), **hold), pointer(1))
    assert version_transitions.round_opens(state) == (state, ())


def test_a_version_that_fails_validation_stays_rejected_and_counts_as_seen() -> None:
    state, actions = version_transitions.failed_validation(
        having(known(0)), pointer(1, round_=9), "worse"
    )
    assert (actions, state.in_force, state.rejections, state.adopted_round) == ((), 0, 1, 9)
    assert state.newest_decided == 1
    assert barred(state) == {1: "worse"}
    after, _ = version_transitions.commanded(state, PolicySet(action="pin", version=1))
    assert after.pending_reason == "version 1 was refused: worse"


def test_a_good_window_keeps_the_version_and_its_blob_once() -> None:
    state, actions = window(having(known(0)), 100.0)
    assert (state.good, actions) == (0, (KeepBlob(known(0)),))
    state, _ = version_transitions.blob_kept(state, 0, "7")
    state, actions = window(state, 100.0)
    assert (state.good, actions) == (0, ())


def test_only_greedy_rounds_with_usable_outcomes_count() -> None:
    state = having(known(0))
    for fields in (
        {"greedy": None},
        {"requests": (), "attempts": ()},
    ):
        assert version_transitions.round_closed(state, closed(0, 1.0, 1, **fields)) == (state, ())
    assert version_transitions.round_closed(state, closed(None, 1.0, 1)) == (state, ())
    pinned = replace(state, pinned=0)
    assert version_transitions.round_closed(pinned, closed(0, 1.0, 1)) == (pinned, ())


def test_a_round_does_not_change_the_state_that_it_was_given() -> None:
    state, _ = version_transitions.round_closed(having(known(0)), closed(0, 1.0, 1))
    before = list(state.windows._rounds)
    version_transitions.round_closed(state, closed(0, 1.0, 2))
    assert state.windows._rounds == before


def test_without_a_faster_former_version_nothing_is_tried() -> None:
    state, _ = window(having(known(0, "5"), known(1)), 100.0)
    state = replace(state, good=0)
    worse, actions = window(state, 200.0)
    assert len(actions) == 1
    for costs in (None, (200.0, 190.0)):
        after, actions = version_transitions.compared(worse, known(0, "5"), costs)
        assert (after.in_force, after.comparing, after.rollbacks, actions) == (1, False, 0, ())
    only, _ = window(having(known(0)), 100.0)
    only, actions = window(only, 200.0)
    assert (only.comparing, actions) == (False, ())


def test_a_version_that_made_it_worse_is_rejected() -> None:
    state = suspected()
    assert (state.in_force, state.comparing, state.newer_versions_blocked, state.rollbacks) == (
        0,
        True,
        True,
        1,
    )
    state, actions = window(state, 100.0)
    assert (state.rejections, state.comparing, state.cooldown_rounds, actions) == (1, False, 0, ())
    assert "better without it" in barred(state)[1]
    assert state.streak == 1


def test_after_rollbacks_in_a_row_newer_versions_wait_longer() -> None:
    state, _ = window(replace(suspected(), streak=2), 100.0)
    assert (state.cooldown_rounds, state.streak) == (3 * WINDOW, 3)
    state, _ = window(state, 100.0)
    assert state.cooldown_rounds == 2 * WINDOW


def test_when_all_versions_are_slower_the_suspected_one_decides_again() -> None:
    state, actions = window(suspected(), 200.0)
    assert (state.rejections, barred(state), actions) == (0, {}, ())
    assert state.candidate is not None and state.candidate.version == 1
    _, actions = version_transitions.round_opens(state)
    assert [a.pointer.version for a in actions if isinstance(a, Adopt)] == [1]


def test_a_pin_keeps_the_blob_and_ends_a_comparison() -> None:
    state, actions = version_transitions.commanded(suspected(), PolicySet(action="pin", version=1))
    assert actions == (KeepBlob(known(1)), ReturnTo(known(1)))
    assert (state.pinned, state.in_force, state.comparing, barred(state)) == (1, 1, False, {})
    state, actions = version_transitions.commanded(state, PolicySet(action="release"))
    assert (state.pinned, state.pending_reason, actions) == (None, "", ())


@pytest.mark.parametrize(
    ("state", "command", "reason"),
    [
        (VersionState(), {"action": "pin"}, "no version is in force yet"),
        (having(known(0)), {"action": "pin", "version": 9}, "version 9 is not known"),
        (having(known(0)), {"action": "rollback"}, "there is no former good version"),
        (having(known(0, "1"), known(1), pinned=1), {"action": "rollback"}, "version 1 is pinned"),
    ],
)
def test_a_command_that_cannot_be_applied_leaves_its_reason(
    state: VersionState, command: dict[str, Any], reason: str
) -> None:
    sent = PolicySet(**command)
    after, actions = version_transitions.commanded(state, sent)
    assert after.pending_reason.startswith(reason)
    assert (after.command, actions) == (sent.id, ())
    assert replace(after, command=None, pending_reason="") == state


def test_a_rollback_on_command_rejects_and_rests() -> None:
    state = having(known(0, "1"), known(1, "2"), known(2))
    state, actions = version_transitions.commanded(state, PolicySet(action="rollback", by="ann"))
    assert actions == (ReturnTo(known(1, "2")),)
    assert (state.in_force, state.good, state.rollbacks, state.cooldown_rounds) == (1, 1, 1, WINDOW)
    assert barred(state) == {2: "rolled back by ann"}


def test_a_restart_returns_to_the_pinned_or_the_good_version() -> None:
    rows = (
        Version(version=0, at=pointer(0).at),
        Version(version=3, at=pointer(3).at, refused="worse"),
        Version(version=4, at=pointer(4).at, on_trial=True),
    )
    lost = tuple(KnownVersion.of(row, None) for row in rows)
    readable = (known(1, "1"), *lost, known(2, "2"))
    stored = Versions(good=1, pinned=2, obeyed=PolicySet(action="pin").id)
    state, actions = version_transitions.recalled(VersionState(), stored, readable)
    assert (state.pinned, state.good, actions) == (2, 1, (ReturnTo(known(2, "2")),))
    assert (state.newest_decided, state.command) == (4, stored.obeyed)
    assert (sorted(state.versions), state.suspected) == ([1, 2, 3, 4], [])
    state, actions = version_transitions.recalled(VersionState(), stored, readable[:-1])
    assert (state.pinned, state.command, actions) == (None, None, (ReturnTo(known(1, "1")),))


def test_a_reset_forgets_all_but_the_counts_and_the_command() -> None:
    state = having(known(0), rejections=2, rollbacks=1, command=PolicySet(action="pin").id)
    fresh, actions = version_transitions.was_reset(replace(state, pinned=0, candidate=pointer(1)))
    assert actions == (ForgetParameters(),)
    expected = VersionState(command=state.command, rejections=2, rollbacks=1)
    assert replace(fresh, windows=expected.windows) == expected


def test_few_versions_are_remembered() -> None:
    state = VersionState()
    for version in range(2 * EARLIER):
        state, _ = version_transitions.adopted(state, known(version))
        if version < 2 * KEPT:
            state, _ = version_transitions.blob_kept(state, version, str(version))
    assert sum(bool(k.kept) for k in state.versions.values()) == KEPT
    assert len(state.versions) == EARLIER + KEPT + 2  # ...the one in force, and the former.
