"""Which version of the policy decides, as pure functions: state and event to state and actions.

The newest version decides, unless it was rejected, another is pinned, or response times got worse:
then the last good version decides for one window, and the suspected versions are rejected if that
is faster. Only rounds that executed the greedy assignment count, for exploration has a budget of
its own.

Each public function is named for an event. The caller carries out the actions, then puts the new
state in force, and enters the results of the actions as events.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, replace

from tercet.rl.degradation import MARGIN, WINDOW, DegradationMonitor, Finding
from tercet.schemas.experience_v2 import Experience
from tercet.schemas.parameters import Parameters
from tercet.schemas.policy import PolicySet
from tercet.schemas.versions import Versions
from tercet.services.orchestrator.decide.version_state import KEPT, KnownVersion, VersionState

MIN_IMPROVEMENT = 0.1
"""Share by which the last good version must be expected to be faster; else it is not tried."""
MAX_COOLDOWN_DOUBLINGS = 3
"""Newer versions wait 0, 1, 3, then 7 windows after consecutive rollbacks, and no longer."""
DEGRADATION_REASON = f"response times got worse by more than {MARGIN:.0%}, and better without it"


@dataclass(frozen=True)
class Adopt:
    """Read, validate and adopt a version; `adopted` or `failed_validation` may follow."""

    pointer: Parameters


@dataclass(frozen=True)
class _WithBlob:
    known: KnownVersion


class ReturnTo(_WithBlob):
    """Put a known version in force without validation."""


class KeepBlob(_WithBlob):
    """Keep the blob of a known version aside; `blob_kept` follows."""


class CompareCosts(_WithBlob):
    """Estimate costs of the version in force and a known one; `compared` follows."""


@dataclass(frozen=True)
class ForgetParameters:
    """Decide without parameters."""


Action = Adopt | ReturnTo | KeepBlob | CompareCosts | ForgetParameters
Step = tuple[VersionState, tuple[Action, ...]]


def recalled(state: VersionState, stored: Versions, known: tuple[KnownVersion, ...]) -> Step:
    """A former process stored this, and these versions; some of them can be read.

    Rejected versions stay so; the pinned version decides, else the last good one. A pin that
    cannot be restored is tried again as a command, which then gives the reason.
    """
    state = replace(
        state,
        good=stored.good,
        versions={k.version: k for k in known if k.usable or k.barred},
        command=stored.obeyed,
        pending_reason=stored.unheeded,
    )
    pinned = state.usable(stored.pinned)
    if pinned is not None:
        state = replace(state, pinned=pinned.version)
    elif stored.pinned is not None:
        state = replace(state, command=None)
    found = pinned or state.usable(state.good)
    return (state, ()) if found is None else _return_to(state, found)


def announced(state: VersionState, pointer: Parameters) -> Step:
    """There is a newer version, or there may be."""
    return replace(state, candidate=pointer), ()


def round_opens(state: VersionState) -> Step:
    """A round is about to open."""
    candidate = state.candidate
    if state.newer_versions_blocked or candidate is None:
        return state, ()
    newer = candidate.version > state.newest_decided
    return replace(state, candidate=None), (Adopt(candidate),) if newer else ()


def adopted(state: VersionState, known: KnownVersion) -> Step:
    """A version passed validation and is in force."""
    return _in_force(state.with_version(known), known.pointer), ()


def failed_validation(state: VersionState, pointer: Parameters, reason: str) -> Step:
    """A version did not pass validation; the present one stays."""
    return replace(_rejected(state, pointer, reason), adopted_round=pointer.round), ()


def blob_kept(state: VersionState, version: int, key: str) -> Step:
    """The blob of a version was kept aside under a key."""
    state = state.with_version(replace(state.versions[version], kept=key))
    kept = sorted((k for k in state.versions.values() if k.kept), key=lambda k: int(k.kept))
    for former in kept[:-KEPT]:
        state = state.with_version(replace(former, kept=""))
    return state, ()


def was_reset(state: VersionState) -> Step:
    """Everything that was learned was erased; what comes next is newer than all before."""
    fresh = VersionState(
        command=state.command, rejections=state.rejections, rollbacks=state.rollbacks
    )
    return fresh, (ForgetParameters(),)


def commanded(state: VersionState, command: PolicySet) -> Step:
    """Apply an operator's last command once; store the reason when it cannot be applied."""
    reason, actions, after = "", tuple[Action, ...](), state
    match command.action:
        case "release":
            after = replace(state, pinned=None)
        case "pin":
            reason, after, actions = _pin(state, command.version)
        case "rollback":
            by = command.by or "an operator"
            reason, after, actions = _roll_back(state, f"rolled back by {by}")
    return replace(after, command=command.id, pending_reason=reason), actions


def _pin(state: VersionState, version: int | None) -> tuple[str, *Step]:
    """Hold a version, or the one in force; a running comparison ends without a result."""
    wanted = state.in_force if version is None else version
    if wanted is None:
        return "no version is in force yet", state, ()
    if state.usable(wanted) is None:
        known = state.versions.get(wanted)
        reason = f"was refused: {known.rejected}" if known and known.rejected else "is not known"
        return f"version {wanted} {reason}", state, ()
    state = replace(_accepted(state), pinned=wanted, windows=DegradationMonitor())
    found = state.versions[wanted]
    state, actions = _return_to(replace(state, cooldown_rounds=0, streak=0), found)
    return "", state, (*_keep(found), *actions)


def _roll_back(state: VersionState, reason: str) -> tuple[str, *Step]:
    """Return to the last good version, reject the one in force, and adopt none for a window."""
    if state.pinned is not None:
        return f"version {state.pinned} is pinned", state, ()
    present = state.usable(state.in_force)
    good = None if present is None else state.good_before(present.version)
    if present is None or good is None:
        return "there is no former good version to return to", state, ()
    state, actions = _return_to(replace(state, good=good.version), good)
    state = replace(_rejected(state, present.pointer, reason), rollbacks=state.rollbacks + 1)
    state = replace(state, windows=DegradationMonitor(), cooldown_rounds=WINDOW, streak=0)
    return "", state, actions


def round_closed(state: VersionState, experience: Experience) -> Step:
    """A learning round has ended: enter it into the window, and act on a full window."""
    if state.pinned is not None:
        return state, ()
    if state.cooldown_rounds > 0:
        return replace(state, cooldown_rounds=state.cooldown_rounds - 1), ()
    version, times = experience.policy_version, experience.response_ms
    if version is None or not times or experience.assigned != experience.greedy:
        return state, ()
    windows = copy(state.windows)
    conditions = experience.goal, tuple(experience.assigned), experience.fleet.options
    finding = windows.add(version, times, conditions)
    state = replace(state, windows=windows)
    match finding:
        case Finding.GOOD:
            found, state = state.usable(windows.first), replace(state, streak=0)
            if found is None:
                return state, ()
            return replace(state, good=found.version), _keep(found)
        case Finding.WORSE:
            former = state.usable(state.good)
            if former is not None and state.good != state.in_force:
                return state, (CompareCosts(former),)
            return compared(state, former, None)
        case Finding.POLICY:
            for known in state.suspected:
                state = _rejected(state, known.pointer, DEGRADATION_REASON)
            cooldown = WINDOW * (2 ** min(state.streak, MAX_COOLDOWN_DOUBLINGS) - 1)
            return replace(state, cooldown_rounds=cooldown, streak=state.streak + 1), ()
        case Finding.WORLD:
            return _accepted(state), ()
    return state, ()


def compared(
    state: VersionState, former: KnownVersion | None, costs: tuple[float, float] | None
) -> Step:
    """Let a former version decide for a window, if it is expected to be faster.

    `costs`: expected ms of the version in force and of the former one; None: unknown.
    """
    present, windows = state.usable(state.in_force), copy(state.windows)
    better = costs is not None and costs[1] <= costs[0] * (1 - MIN_IMPROVEMENT)
    if present is None or former is None or not better:
        windows.accept_change()
        return replace(state, windows=windows), ()
    windows.start_comparison()
    state = replace(state, windows=windows, rollbacks=state.rollbacks + 1)
    return _return_to(state.with_version(replace(present, suspected=True)), former)


def _rejected(state: VersionState, pointer: Parameters, reason: str) -> VersionState:
    """A version must not decide again."""
    state = replace(state, rejections=state.rejections + 1)
    return state.with_version(KnownVersion(pointer, rejected=reason))


def _accepted(state: VersionState) -> VersionState:
    """The suspected versions are not to blame: the first of them may decide again."""
    for known in state.suspected:
        state = replace(state, candidate=state.candidate or known.pointer)
        state = state.with_version(replace(known, suspected=False))
    return state


def _return_to(state: VersionState, found: KnownVersion) -> Step:
    actions = () if state.in_force == found.version else (ReturnTo(found),)
    return _in_force(state, found.pointer), actions


def _in_force(state: VersionState, pointer: Parameters) -> VersionState:
    newest = max(state.adopted_round, pointer.round)
    return replace(state, in_force=pointer.version, adopted_round=newest)


def _keep(found: KnownVersion) -> tuple[Action, ...]:
    """Keep a blob aside once: a second copy would displace one that a restart refers to."""
    return () if found.kept else (KeepBlob(found),)
