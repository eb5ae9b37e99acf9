"""Publish each device's decision when it changes, with alternatives ranked by expected times."""

from __future__ import annotations

import asyncio
from typing import Any

from tercet.experience.translation import platform_of
from tercet.messaging.bus import Bus
from tercet.process import log
from tercet.process.errors import ServiceError
from tercet.process.waiting import within
from tercet.rl.alternatives import ranked_alternatives
from tercet.rl.goal import parse_goal, required_accuracy
from tercet.rl.options import Option
from tercet.schemas.decision import Alternative, Decision, FamilyDecision
from tercet.schemas.fleet import Fleet
from tercet.services.orchestrator.decide.decider_state import DeciderState
from tercet.services.orchestrator.decide.first_option import first_option
from tercet.services.orchestrator.decide.policy_process import PolicyProcess, PolicyProcessFailed

REFRESH_S = 5.0
"""Seconds between two computations of the expected times that alternatives are ranked by."""
REPEAT_S = 60.0
"""A decision that does not change is published again after so many seconds: a publication may be
lost, and stored messages have a limited age."""
TOGETHER = 64
"""Decisions that are compared before other tasks have a turn."""
MATERIAL = 0.25
"""Relative change of an expected time that is a change of the decision."""

_log = log.get(__name__)


class DecisionPublisher:
    """Decisions of the assignment in force; knows which were published last."""

    def __init__(self, bus: Bus, state: DeciderState, policy: PolicyProcess) -> None:
        self._bus, self._state, self._policy = bus, state, policy
        self._expected: dict[str, dict[str, float]] = {}
        """Row to option to expected milliseconds, at the present loads of the others."""
        self._refreshed = 0
        """How often the above was computed."""
        self._published: dict[str, tuple[Decision, float]] = {}
        """Device to its last decision and when it was published, on the loop's clock."""
        self._fields: dict[str, tuple[tuple[object, ...], dict[str, Any]]] = {}
        """Device to what its decision follows from, and its fields."""

    def fields(self, device: str, fleet: Fleet) -> dict[str, Any]:
        """Return all fields of a decision that follow from the assignment.

        Ranking takes a tenth of a millisecond, so they are kept until the assignment, the policy or
        the expected times change. Families that nothing was decided for have their most accurate
        local option. ValueError for a device that has no option at all.
        """
        state, version = self._state, self._policy.version
        options = {row: self._option(row, fleet) for row in fleet.rows_of(device)}
        goals = tuple(state.goal_of(row.partition("/")[2]) for row in options)
        basis = tuple(options.items()), goals, state.policy_name, version, self._refreshed
        known = self._fields.get(device)
        if known is not None and known[0] == basis:
            return known[1]
        first, *others = (
            self._row_fields(row, option, goal, fleet)
            for (row, option), goal in zip(options.items(), goals, strict=True)
        )
        fields = {
            "device": device,
            "policy": state.policy_name,
            "policy_version": version,
            **first,
            "others": tuple(FamilyDecision(**other) for other in others),
        }
        self._fields[device] = basis, fields
        return fields

    def _option(self, row: str, fleet: Fleet) -> str:
        option = self._state.in_force.get(row)
        return option if option in fleet.options else first_option(fleet, row)

    def _row_fields(self, row: str, option: str, goal: str, fleet: Fleet) -> dict[str, Any]:
        expected = self._expected.get(row) or profile_of(row, fleet)
        return {
            "family": row.partition("/")[2],
            "option": option,
            "node": fleet.node(row, option),
            "goal": goal,
            "expected_ms": expected.get(option),
            "alternatives": self._alternatives(row, option, goal, fleet, expected),
        }

    async def publish_changes(self) -> None:
        """Publish the decisions that have changed since they were published, or are old."""
        fleet, now = self._state.registry.fleet, self._state.now()
        for number, device in enumerate(fleet.devices if fleet else ()):
            if number % TOGETHER == TOGETHER - 1:
                await asyncio.sleep(0)
            if fleet is not None and self._is_decided(device, fleet):
                await self._publish(device, fleet, now)

    def _is_decided(self, device: str, fleet: Fleet) -> bool:
        in_force = (self._state.in_force.get(row) for row in fleet.rows_of(device))
        return any(option in fleet.options for option in in_force)

    async def _publish(self, device: str, fleet: Fleet, now: float) -> None:
        """Publish one decision if there is a reason to."""
        last, at = self._published.get(device, (None, 0.0))
        known = self._fields.get(device)
        fields = self.fields(device, fleet)
        due = last is None or now - at > REPEAT_S
        if not due and known is not None and fields is known[1]:
            return
        decision = Decision(**fields, window=self._state.window)
        if due or last is None or differs(decision, last):
            self._published[device] = decision, now
            await self._bus.publish(decision)

    async def run(self, stop: asyncio.Event) -> None:
        """Keep expected times and publications up to date, until `stop`."""
        while not await within(stop, REFRESH_S):
            try:
                await self._refresh()
            except (ServiceError, ValueError, PolicyProcessFailed) as error:
                _log.warning("alternatives not ranked anew", reason=str(error))
            await self.publish_changes()

    async def _refresh(self) -> None:
        state = self._state
        if state.registry.fleet is None:
            return
        context = state.context(state.fleet, state.active())
        in_force = {d: o for d, o in state.in_force.items() if d in context.active}
        self._expected = await self._policy.expected_ms(context, in_force) or {}
        self._refreshed += 1
        for device in self._published.keys() - set(context.fleet.devices):
            del self._published[device]
        for device in self._fields.keys() - set(context.fleet.devices):
            del self._fields[device]

    def _alternatives(
        self, row: str, option: str, goal: str, fleet: Fleet, expected: dict[str, float]
    ) -> tuple[Alternative, ...]:
        platform = platform_of(fleet)
        own = platform.variants.get(row)
        accuracies = [
            platform.accuracy[o.variant]
            for o in platform.options
            if own is None or o.variant in own
        ]
        ranked = ranked_alternatives(
            platform,
            row,
            Option.parse(option),
            {Option.parse(text): ms for text, ms in expected.items()},
            required_accuracy(parse_goal(goal), accuracies),
        )
        return tuple(
            Alternative(option=str(o), node=platform.node(row, o), expected_ms=expected.get(str(o)))
            for o in ranked
        )


def profile_of(row: str, fleet: Fleet) -> dict[str, float]:
    """Option to the time that its node has measured alone, for want of anything learned."""
    found = {}
    for option in fleet.options:
        profile = fleet.profile_ms.get(fleet.node(row, option), {})
        if (ms := profile.get(option.partition("@")[0])) is not None:
            found[option] = ms
    return found


def differs(decision: Decision, last: Decision) -> bool:
    """Whether a decision says something else than the last one; expected times count if material.

    The version of the parameters alone makes no difference.
    """
    ours, theirs = ([_place(f) for f in _families(d)] for d in (decision, last))
    if (ours, decision.policy) != (theirs, last.policy):
        return True
    times = [[ms for f in _families(d) for ms in _times(f)] for d in (decision, last)]
    return any(
        (new is None) != (old is None)
        or (new is not None and old is not None and abs(new - old) > MATERIAL * max(old, 1.0))
        for new, old in zip(*times, strict=True)
    )


def _families(decision: Decision) -> tuple[Decision | FamilyDecision, ...]:
    return (decision, *decision.others)


def _place(decided: Decision | FamilyDecision) -> tuple[object, ...]:
    others = [(a.option, a.node) for a in decided.alternatives]
    return decided.family, decided.option, decided.node, decided.goal, others


def _times(decided: Decision | FamilyDecision) -> list[float | None]:
    return [decided.expected_ms, *(a.expected_ms for a in decided.alternatives)]
