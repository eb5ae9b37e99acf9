"""Why a device is told what it is told: asked for now and then, computed away from the requests."""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass

from tercet.process.errors import NoAnswer
from tercet.rl.reasons import Reasons
from tercet.schemas.explain import Explain
from tercet.schemas.explanation import Choice, Explanation, Trip
from tercet.schemas.fleet import Fleet
from tercet.schemas.outcome import Outcome
from tercet.services.orchestrator.decide.decider_state import DeciderState
from tercet.services.orchestrator.decide.round_controller import RoundController

TRIPS = 20
"""Requests remembered of each device."""
FRESH = 1.0
"""Seconds for which one look at the policy serves all devices..."""
SHARE = 0.05
"""...or longer: looking may take this share of the time of the process that chooses."""

MOST_MS = 86_400_000.0
"""A message holds no more milliseconds than a day's."""


@dataclass(frozen=True)
class Look:
    """What the policy said of all devices at once."""

    reasons: Reasons | None
    head: int | None
    in_force: dict[str, str]
    policy: str
    version: int | None
    goal: str
    until: float
    """On the loop's clock: then it is looked at again."""


class Explaining:
    """Remembers each device's last requests, and asks the policy about the present."""

    def __init__(self, situation: DeciderState, conductor: RoundController) -> None:
        self._situation, self._conductor = situation, conductor
        self._trips: dict[str, deque[Outcome]] = defaultdict(lambda: deque(maxlen=TRIPS))
        self._look: Look | None = None

    def remember(self, outcome: Outcome) -> None:
        """Keep the way of one request, of devices that are known."""
        fleet = self._situation.roster.fleet
        if fleet is not None and outcome.device in fleet.devices:
            self._trips[outcome.device].appendleft(outcome)

    async def explain(self, asked: Explain) -> Explanation:
        """Answer; raises NoAnswer for a device that has not said what it can do."""
        situation, device = self._situation, asked.device
        fleet = situation.roster.fleet
        if fleet is None or device not in fleet.devices:
            raise NoAnswer(f"device: {device} has not said what it can do", responder=True)
        look = await self._looked(fleet)
        ledger, reasons = self._conductor.ledger, look.reasons
        return Explanation.because(
            asked,
            device=device,
            goal=look.goal,
            policy=look.policy,
            policy_version=look.version,
            head=look.head,
            exploring=situation.exploring,
            round=ledger.opened.number if ledger else None,
            options=choices(device, fleet, look, situation.roster.unavailable(situation.now())),
            average_ms=_bounded(reasons.average_ms) if reasons else None,
            accuracy_pct=reasons.accuracy if reasons else None,
            feasible=reasons.feasible if reasons else True,
            price_ms=reasons.price_ms if reasons else None,
            trips=tuple(trip(outcome) for outcome in self._trips[device]),
        )

    async def _looked(self, fleet: Fleet) -> Look:
        """The present look, or a new one when it is old. Requests come one after the other."""
        situation, conductor = self._situation, self._conductor
        began = situation.now()
        in_force, policy = dict(conductor.in_force), conductor.policy_name
        version, goal = situation.policy.version, situation.goal
        look = self._look
        if look is not None and began < look.until and (look.policy, look.goal) == (policy, goal):
            return look
        reasons, head = await situation.explain(policy, fleet, in_force)
        took = situation.now() - began
        until = situation.now() + max(FRESH, took / SHARE)
        self._look = Look(reasons, head, in_force, policy, version, goal, until)
        return self._look


def choices(device: str, fleet: Fleet, look: Look, unavailable: set[str]) -> tuple[Choice, ...]:
    """All options of a device; without reasons only what is known without learning."""
    expected = (
        {str(e.option): e for e in look.reasons.options.get(device, ())} if look.reasons else {}
    )
    greedy = look.reasons.greedy.get(device) if look.reasons else None
    others = [
        fleet.node(d, o) for d, o in look.in_force.items() if d != device and d in fleet.devices
    ]
    listed = []
    for option in fleet.options:
        node, variant, found = (
            fleet.node(device, option),
            option.partition("@")[0],
            expected.get(option),
        )
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
                available=node not in unavailable,
                chosen=look.in_force.get(device) == option,
                greedy=str(greedy) == option,
            )
        )
    return tuple(listed)


def trip(outcome: Outcome) -> Trip:
    """The way of one request, in the words of an explanation."""
    return Trip(**{name: getattr(outcome, name) for name in Trip.model_fields})


def _bounded(ms: float | None) -> float | None:
    return None if ms is None else min(ms, MOST_MS)
