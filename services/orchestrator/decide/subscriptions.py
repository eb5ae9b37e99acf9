"""Keep the decider's state up to date from the bus."""

from __future__ import annotations

import asyncio

from tercet.messaging.bus import Bus
from tercet.messaging.operator_settings import ControlReader
from tercet.messaging.stream_reader import last_per_subject
from tercet.process import log
from tercet.process.errors import TryLater
from tercet.process.waiting import within
from tercet.schemas.capability import Capability
from tercet.schemas.exploration import Exploration
from tercet.schemas.goal import GoalSet
from tercet.schemas.parameters import Parameters
from tercet.schemas.policy import PolicySet
from tercet.schemas.reset import Reset
from tercet.schemas.telemetry import Telemetry
from tercet.services.orchestrator.decide.decider_state import DeciderState
from tercet.services.orchestrator.decide.policy_versions import PolicyVersions

REFRESH_PERIOD_S = 5.0
"""Seconds between two reads of the goal and the policy in force."""

_log = log.get(__name__)


class Subscriptions:
    """Messages in, state changes out; made by `start`."""

    def __init__(self, bus: Bus, state: DeciderState, versions: PolicyVersions) -> None:
        self._control, self._state, self._versions = ControlReader(bus), state, versions
        self._bus = bus

    @classmethod
    async def start(cls, bus: Bus, state: DeciderState, versions: PolicyVersions) -> Subscriptions:
        """Subscribe to everything that concerns deciding, then read what was stored before."""
        self = cls(bus, state, versions)
        await bus.subscribe(Capability, self._on_capability)
        await bus.subscribe(Telemetry, self._on_telemetry)
        await bus.subscribe(GoalSet, self._on_goal)
        await bus.subscribe(Exploration, self._on_exploration)
        await bus.subscribe(Parameters, versions.on_parameters, owner="policy")
        await bus.subscribe(PolicySet, versions.on_policy)
        await bus.subscribe(Reset, self._on_reset)
        stored = await last_per_subject(bus, Capability)
        for capability in sorted(stored, key=lambda c: c.at):
            state.registry.add_capability(capability, state.now(), recalled=True)
        await versions.recall()
        await self._refresh()
        return self

    async def refresh(self, stop: asyncio.Event) -> None:
        """Read again and again: announcements are missed while the broker is away."""
        while not stop.is_set():
            await within(stop, REFRESH_PERIOD_S)
            try:
                await self._refresh()
            except TryLater as error:
                _log.warning("stored settings not read", reason=str(error))

    async def _refresh(self) -> None:
        """Read what operators set, and the pointer to the policy."""
        self._state.remove_absent()
        await self._versions.refresh()
        goal = await self._control.goal()
        if goal is not None:
            self._state.goal, self._state.goals = goal.goal, dict(goal.goals)
        exploration = await self._control.exploration()
        if exploration is not None:
            self._state.exploring = exploration.explore

    async def _on_capability(self, message: Capability) -> None:
        registry, now = self._state.registry, self._state.now()
        if reason := registry.refusal(message, now):
            _log.error("capability refused", node=message.node, reason=reason)
            body = message.model_dump_json().encode()
            await self._bus.dead_letter(message.subject, body, f"{message.node}: {reason}")
        else:
            registry.add_capability(message, now)

    async def _on_telemetry(self, message: Telemetry) -> None:
        self._state.registry.add_telemetry(message, self._state.now())

    async def _on_goal(self, message: GoalSet) -> None:
        self._state.goal, self._state.goals = message.goal, dict(message.goals)

    async def _on_exploration(self, message: Exploration) -> None:
        self._state.exploring = message.explore

    async def _on_reset(self, _: Reset) -> None:
        self._state.resets += 1
        await self._versions.reset()
