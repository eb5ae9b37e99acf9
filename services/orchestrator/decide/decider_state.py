"""What the deciding role knows: who is there, the goal in force, the policy and its news."""

from __future__ import annotations

import asyncio

from tercet.messaging.bus import Bus
from tercet.messaging.control import ControlReader
from tercet.messaging.parameter_store import ParameterStore
from tercet.messaging.replay import last_per_subject
from tercet.process import log
from tercet.process.errors import TryLater
from tercet.process.waiting import within
from tercet.rl.reasons import Reasons
from tercet.schemas.capability import Capability
from tercet.schemas.exploration import Exploration
from tercet.schemas.fleet import Condition, Fleet
from tercet.schemas.goal import GoalSet
from tercet.schemas.outcome import Outcome
from tercet.schemas.parameters import Parameters
from tercet.schemas.policy import PolicySet
from tercet.schemas.reset import Reset
from tercet.schemas.telemetry import Telemetry
from tercet.services.orchestrator.decide.node_registry import NodeRegistry
from tercet.services.orchestrator.decide.policy_process import PolicyProcess
from tercet.services.orchestrator.decide.policy_versions import PolicyVersions
from tercet.services.orchestrator.decide.rate_limit import Rates
from tercet.services.orchestrator.settings import Settings

_log = log.get(__name__)

REFRESH = 5.0
"""Seconds between two looks at the goal and the policy in force."""


class DeciderState:
    """Kept up to date by what is heard; made by `recall`."""

    def __init__(
        self, bus: Bus, settings: Settings, store: ParameterStore, policy: PolicyProcess
    ) -> None:
        self._bus, self._control = bus, ControlReader(bus)
        self.roster = NodeRegistry(settings.absent, settings.forget)
        self.requests, self.reports = Rates(settings.rate), Rates(settings.rate)
        """What each device may still ask, and report."""
        self.policy = policy
        self.goal = settings.goal
        self.exploring = True
        """False while an operator has paused it."""
        self.versions = PolicyVersions(bus, store, policy)
        self.resets = 0
        """How often everything was forgotten."""

    @classmethod
    async def recall(cls, bus: Bus, settings: Settings, policy: PolicyProcess) -> DeciderState:
        """Hear everything that concerns deciding, and recall what was known before."""
        situation = cls(bus, settings, await ParameterStore.open(bus), policy)
        await bus.subscribe(Capability, situation._on_capability)
        await bus.subscribe(Telemetry, situation._on_telemetry)
        await bus.subscribe(GoalSet, situation._on_goal)
        await bus.subscribe(Exploration, situation._on_exploration)
        await bus.subscribe(Parameters, situation.versions.on_parameters, owner="policy")
        await bus.subscribe(PolicySet, situation.versions.on_policy)
        await bus.subscribe(Reset, situation._on_reset)
        for capability in await last_per_subject(bus, Capability):
            situation.roster.can(capability, situation.now(), recalled=True)
        await situation.versions.recall()
        await situation.look()
        return situation

    async def refresh(self, stop: asyncio.Event) -> None:
        """Look again and again: announcements are missed while the broker is away."""
        while not stop.is_set():
            await within(stop, REFRESH)
            try:
                await self.look()
            except TryLater as error:
                _log.warning("cannot look", reason=str(error))

    async def look(self) -> None:
        """Read what operators set and the policy's pointer from where they are kept."""
        for rates in (self.requests, self.reports):
            rates.forget(self.now())
        if gone := self.roster.forget(self.now()):
            _log.info("forgotten", nodes=gone)
        await self.versions.look()
        goal = await self._control.goal()
        if goal is not None:
            self.goal = goal.goal
        exploration = await self._control.exploration()
        if exploration is not None:
            self.exploring = exploration.explore

    def now(self) -> float:
        """Seconds on the loop's clock."""
        return asyncio.get_running_loop().time()

    def active(self) -> tuple[str, ...]:
        """Devices that are present."""
        return self.roster.active(self.now())

    def conditions(self) -> dict[str, Condition]:
        """Last known condition of every node."""
        return self.roster.conditions()

    @property
    def fleet(self) -> Fleet:
        """The fleet; only to be asked for once a device is known."""
        assert self.roster.fleet is not None, "nothing can be decided before a device is known"
        return self.roster.fleet

    async def choose(self, name: str, fleet: Fleet, active: tuple[str, ...]) -> dict[str, str]:
        """Ask a policy for an option per active device; requests go on meanwhile.

        Nodes come and go meanwhile too, so a round looks once who is there and stays with that.
        """
        unavailable = self.roster.unavailable(self.now())
        return await self.policy.choose(
            name, fleet, active, self.conditions(), self.goal, unavailable
        )

    async def explain(
        self, name: str, fleet: Fleet, in_force: dict[str, str]
    ) -> tuple[Reasons | None, int | None]:
        """Ask why: as `Policy.explain`, away from the requests like `choose`."""
        unavailable = self.roster.unavailable(self.now())
        active, conditions = self.active(), self.conditions()
        return await self.policy.explain(
            name, fleet, active, conditions, self.goal, unavailable, in_force
        )

    def heard_from(self, outcome: Outcome, told: str | None) -> None:
        """A device that reports is present; a node that left it without an answer is not.

        Only the node counts that the device was `told` to use: else it could take any from all.
        """
        self.roster.alive(outcome.device, self.now())
        fleet = self.roster.fleet
        if fleet is None or outcome.device not in fleet.devices:
            return
        if outcome.fallback != "no-responder" or outcome.assigned != told:
            return
        if told in fleet.options:
            node = fleet.node(outcome.device, told)
            if node != outcome.device:
                _log.warning("node does not answer", node=node, device=outcome.device)
                self.roster.unanswered(node, self.now())

    async def _on_capability(self, message: Capability) -> None:
        if not self.roster.can(message, self.now()):
            _log.warning("node left out: no option would be left", node=message.node)

    async def _on_telemetry(self, message: Telemetry) -> None:
        self.roster.looks(message, self.now())

    async def _on_goal(self, message: GoalSet) -> None:
        self.goal = message.goal

    async def _on_exploration(self, message: Exploration) -> None:
        self.exploring = message.explore

    async def _on_reset(self, _: Reset) -> None:
        self.resets += 1
        await self.versions.forget()
