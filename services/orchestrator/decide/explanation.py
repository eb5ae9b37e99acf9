"""Why a device is assigned its option: computed on request, away from the decision path."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Collection
from dataclasses import dataclass

from tercet.experience.tally import in_time
from tercet.rl.explanation_data import Reasons
from tercet.schemas.explain import Explain
from tercet.schemas.explanation import Choice, Explanation, RequestTiming
from tercet.schemas.fleet import Fleet
from tercet.schemas.outcome import Outcome
from tercet.services.orchestrator.decide.decider_state import DeciderState
from tercet.services.orchestrator.decide.policy_process import PolicyProcess

MAX_TIMINGS = 20
"""Latest requests that are kept for each device."""
MAX_ANSWERED = 200
"""Latest outcomes over which the share answered in time is taken."""
MIN_AGE_S = 1.0
"""Seconds for which one computation serves all devices..."""
MAX_SHARE = 0.05
"""...or longer: explaining may take this share of the policy process's time."""
MAX_MS = 86_400_000.0
"""A message holds no more milliseconds than a day's."""


@dataclass(frozen=True)
class CurrentReasons:
    """What the policy expects for all devices at once."""

    reasons: Reasons | None
    in_force: dict[str, str]
    policy: str
    version: int | None
    goal: object
    """The goals in force."""
    valid_until: float
    """On the loop's clock."""


class Explainer:
    """Keeps each device's latest outcomes, and calls the policy for the present reasons."""

    def __init__(self, state: DeciderState, policy: PolicyProcess) -> None:
        self._state, self._policy = state, policy
        self._timings: dict[str, deque[Outcome]] = defaultdict(lambda: deque(maxlen=MAX_TIMINGS))
        self._answered: dict[str, deque[tuple[int, int]]] = defaultdict(
            lambda: deque(maxlen=MAX_ANSWERED)
        )
        """Requests of each outcome, and how many of them were answered in time."""
        self._current: CurrentReasons | None = None

    def add_outcome(self, outcome: Outcome) -> None:
        """Keep one request of a device that is known."""
        fleet = self._state.registry.fleet
        if fleet is not None and outcome.device in fleet.devices:
            self._timings[outcome.row].appendleft(outcome)
            self._answered[outcome.row].append((outcome.count, in_time(outcome, fleet)))

    async def explain(self, request: Explain) -> Explanation:
        """Answer; raises as `DeciderState.fleet_with`."""
        state, device = self._state, request.device
        fleet = state.fleet_with(device)
        row = row_of(fleet, device, request.family)
        family = row.partition("/")[2]
        current = await self._current_reasons(fleet)
        record, reasons = state.open_round, current.reasons
        return Explanation.caused_by(
            request,
            device=device,
            family=family,
            goal=state.goal_of(family),
            policy=current.policy,
            policy_version=current.version,
            exploring=state.exploring,
            round=record.opened.number if record else None,
            options=choices(row, fleet, current, state.registry.unavailable(state.now())),
            average_ms=_bounded(reasons.average_ms) if reasons else None,
            accuracy_pct=reasons.accuracy if reasons else None,
            feasible=reasons.feasible if reasons else True,
            price_ms=reasons.price_ms if reasons else None,
            demand=state.demand.get(row),
            deadline_ms=fleet.deadline_ms,
            answered_in_time=share_in_time(self._answered[row]),
            trips=tuple(timing(outcome) for outcome in self._timings[row]),
        )

    async def _current_reasons(self, fleet: Fleet) -> CurrentReasons:
        """The last reasons while they are valid, else new ones. Requests come one at a time."""
        state, current, started = self._state, self._current, self._state.now()
        policy, goal = state.policy_name, (state.goal_of(""), *state.goals_of(fleet).items())
        in_force, version = dict(state.in_force), self._policy.version
        valid = current is not None and started < current.valid_until
        if current is not None and valid and (current.policy, current.goal) == (policy, goal):
            return current
        context = state.context(fleet, state.active())
        reasons = await self._policy.explain(policy, context, in_force)
        took = state.now() - started
        valid_until = state.now() + max(MIN_AGE_S, took / MAX_SHARE)
        self._current = CurrentReasons(reasons, in_force, policy, version, goal, valid_until)
        return self._current


def row_of(fleet: Fleet, device: str, family: str | None) -> str:
    """The row of a family; the device's first one, if that is not one of them."""
    rows = fleet.rows_of(device)
    return next((row for row in rows if family and row.partition("/")[2] == family), rows[0])


def choices(
    row: str, fleet: Fleet, current: CurrentReasons, unavailable: frozenset[str]
) -> tuple[Choice, ...]:
    """The options that a row's nodes can run, and the one in force.

    Without reasons they hold only what is known without training.
    """
    reasons = current.reasons
    expected = {str(e.option): e for e in reasons.options.get(row, ())} if reasons else {}
    greedy = reasons.greedy.get(row) if reasons else None
    rows = set(fleet.rows)
    others = [fleet.node(d, o) for d, o in current.in_force.items() if d != row and d in rows]
    listed = []
    own = fleet.variants.get(row.partition("/")[2])
    for option in fleet.options:
        node, variant = fleet.node(row, option), option.partition("@")[0]
        found, chosen = expected.get(option), current.in_force.get(row) == option
        runs = variant not in fleet.lacks.get(node, ())
        if own is not None and variant not in own:
            continue
        if not runs and not chosen:
            continue
        low, high = found.bounds_ms if found else (None, None)
        listed.append(
            Choice(
                option=option,
                node=node,
                load=found.load if found else 1 + others.count(node),
                accuracy_pct=fleet.accuracy_pct[variant],
                predicted_ms=_bounded(found.predicted_ms) if found else None,
                low_ms=_bounded(low),
                high_ms=_bounded(high),
                spread=found.spread if found else None,
                sampled_ms=_bounded(found.sampled_ms) if found else None,
                profile_ms=fleet.profile_ms.get(node, {}).get(variant),
                available=runs and node not in unavailable,
                chosen=chosen,
                greedy=str(greedy) == option,
            )
        )
    return tuple(listed)


def share_in_time(answered: Collection[tuple[int, int]]) -> float | None:
    """Of counts of requests, and of those answered in time; None without any."""
    made, timely = (sum(counts) for counts in zip(*answered, strict=True)) if answered else (0, 0)
    return timely / made if made else None


def timing(outcome: Outcome) -> RequestTiming:
    """One request as an explanation shows it."""
    return RequestTiming(**{name: getattr(outcome, name) for name in RequestTiming.model_fields})


def _bounded(ms: float | None) -> float | None:
    return None if ms is None else min(ms, MAX_MS)
