"""What the deciding role knows: who is there, the goal in force, the policy and its news."""

from __future__ import annotations

import asyncio

from runtime import log
from runtime.bus import Bus
from runtime.errors import TryLater, Unprocessable
from runtime.replay import last_each
from runtime.store import ParameterStore, read_goal
from schemas.capability import Capability
from schemas.fleet import Condition, Fleet
from schemas.goal import GoalSet
from schemas.outcome import Outcome
from schemas.parameters import Parameters
from schemas.reset import Reset
from schemas.telemetry import Telemetry
from services.orchestrator.policy import Policy
from services.orchestrator.roster import Roster
from services.orchestrator.settings import Settings

_log = log.get(__name__)


class Situation:
    """Kept up to date by what is heard; made by `recall`."""

    def __init__(self, bus: Bus, settings: Settings, store: ParameterStore) -> None:
        self._bus, self._store = bus, store
        self.roster = Roster(settings.absent)
        self._seed = settings.seed
        self.policy = Policy(settings.seed)
        self.goal = settings.goal
        self.heard_of_parameters = asyncio.Event()
        self._news: Parameters | None = None
        self._adopted_round = 0
        self.resets = 0
        """How often everything was forgotten."""

    @classmethod
    async def recall(cls, bus: Bus, settings: Settings) -> Situation:
        """Hear everything that concerns deciding, and recall what was known before."""
        situation = cls(bus, settings, await ParameterStore.open(bus))
        await bus.listen(Capability, situation._on_capability)
        await bus.listen(Telemetry, situation._on_telemetry)
        await bus.listen(GoalSet, situation._on_goal)
        await bus.listen(Parameters, situation._on_parameters, owner="policy")
        await bus.listen(Reset, situation._on_reset)
        for capability in await last_each(bus, Capability):
            await situation._on_capability(capability)
        situation._news = await situation._store.pointer("policy")
        goal = await read_goal(bus)
        if goal is not None:
            situation.goal = goal.goal
        return situation

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
        """Ask a policy for an option per active device, in a thread: requests go on meanwhile.

        Nodes come and go meanwhile too, so a round looks once who is there and stays with that.
        """
        return await asyncio.to_thread(
            self.policy.choose, name, fleet, active, self.conditions(), self.goal
        )

    @property
    def newest_round(self) -> int:
        """Newest round that the newest parameters have seen, taken up already or not."""
        return self._news.round if self._news is not None else self._adopted_round

    async def adopt_news(self) -> None:
        """Take up the newest announced policy; to be called between rounds."""
        news, self._news = self._news, None
        if news is None or news.version <= (-1 if (v := self.policy.version) is None else v):
            return
        try:
            self.policy.adopt(news.version, await self._store.read(news))
            self._adopted_round = news.round
        except TryLater:
            self._news = self._news or news
        except (Unprocessable, ValueError) as error:
            _log.error("policy refused", version=news.version, reason=str(error))

    def heard_from(self, outcome: Outcome) -> None:
        """A device that reports is present."""
        self.roster.alive(outcome.device, self.now())

    async def _on_capability(self, message: Capability) -> None:
        if not self.roster.can(message, self.now()):
            _log.warning("node left out: no option would be left", node=message.node)

    async def _on_telemetry(self, message: Telemetry) -> None:
        self.roster.looks(message, self.now())

    async def _on_goal(self, message: GoalSet) -> None:
        self.goal = message.goal

    async def _on_reset(self, _: Reset) -> None:
        self.policy, self._news, self._adopted_round = Policy(self._seed), None, 0
        self.resets += 1

    async def _on_parameters(self, message: Parameters) -> None:
        self._news = message
        self.heard_of_parameters.set()
