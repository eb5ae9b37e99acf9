"""The shell of the deciding role: rounds go on here, requests are answered from a table."""

from __future__ import annotations

import asyncio

from runtime import log
from runtime.answers import answering
from runtime.bus import Bus
from runtime.errors import TryLater, Unprocessable
from runtime.replay import last_each, last_one
from runtime.store import ParameterStore, read_goal
from schemas.capability import Capability
from schemas.decision import Decision
from schemas.experience import Experience
from schemas.goal import GoalSet
from schemas.outcome import Outcome
from schemas.parameters import Parameters
from schemas.request import Request
from schemas.round import Round
from schemas.telemetry import Telemetry
from services.orchestrator.ledger import Ledger
from services.orchestrator.policy import Policy
from services.orchestrator.roster import Roster
from services.orchestrator.schedule import GREEDY, Schedule
from services.orchestrator.settings import Settings

POLL = 0.1
"""Seconds between two looks whether enough nodes are there."""

_log = log.get(__name__)


async def decide(bus: Bus, settings: Settings, stop: asyncio.Event) -> None:
    """Answer requests and conduct rounds until `stop`."""
    decider = Decider(bus, settings, stop)
    await decider.prepare()
    async with answering(bus, "orchestrator") as answers:
        await answers.serve(Request, decider.answer)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(decider.conduct())


class Decider:
    """State of the deciding role: who is there, what is in force, what the round brought."""

    def __init__(self, bus: Bus, settings: Settings, stop: asyncio.Event) -> None:
        self._bus, self._settings, self._stop = bus, settings, stop
        self._roster = Roster(settings.absent)
        self._policy = Policy(settings.seed)
        self._schedule = Schedule(settings.rounds, settings.evaluations)
        self._goal = settings.goal
        self._ledger: Ledger | None = None
        self._closed = asyncio.Event()
        self._news: Parameters | None = None
        self._in_force: dict[str, str] = {}
        self._policy_name = "profile"

    async def prepare(self) -> None:
        """Hear everything that concerns deciding, and recall what was known before."""
        self._store = await ParameterStore.open(self._bus)
        await self._bus.listen(Capability, self._on_capability)
        await self._bus.listen(Telemetry, self._on_telemetry)
        await self._bus.listen(Outcome, self._on_outcome)
        await self._bus.listen(GoalSet, self._on_goal)
        await self._bus.listen(Parameters, self._on_parameters, owner="policy")
        for capability in await last_each(self._bus, Capability):
            await self._on_capability(capability)
        self._news = await self._store.pointer("policy")
        goal = await read_goal(self._bus)
        if goal is not None:
            self._goal = goal.goal

    async def answer(self, request: Request) -> Decision:
        """The decision path: a look-up in the assignment in force, no network evaluation."""
        fleet, device = self._roster.fleet, request.device
        self._roster.alive(device, self._now())
        if fleet is None or device not in fleet.devices:
            raise Unprocessable(f"device: {device} has not said what it can do")
        option = self._in_force.get(device, "d0@L")
        home = fleet.home[fleet.devices.index(device)]
        node = {"L": device, "E": home, "C": self._roster.cloud}[option[-1]]
        ledger = self._ledger
        in_round = ledger is not None and request.round_id == ledger.opened.id
        decision = Decision.because(
            request,
            device=device,
            option=option,
            node=node,
            goal=self._goal,
            policy=self._policy_name,
            policy_version=self._policy.version,
            round=ledger.opened.number if ledger and in_round else None,
            round_id=request.round_id,
        )
        await self._bus.publish(decision)
        return decision

    async def conduct(self) -> None:
        """Round after round; when the schedule is over the learned policy stays in force."""
        number = await self._next_number()
        while not self._stop.is_set():
            if not await self._ready(number):
                continue
            started = self._now()
            if self._schedule.over(number):
                await self._put_in_force(GREEDY)
                await self._stop.wait()
                return
            await self._round(number)
            number += 1
            await self._pause(started + self._settings.round_period - self._now())

    async def _round(self, number: int) -> None:
        """Open a round, wait for its outcomes, publish what it taught."""
        purpose, name = self._schedule.round(number)
        await self._adopt_news()
        assigned = await self._put_in_force(name)
        opened = Round(number=number, devices=tuple(assigned), purpose=purpose, policy=name)
        fleet = self._roster.fleet
        assert fleet is not None, "a round needs a fleet"
        self._closed.clear()
        self._ledger = Ledger(
            opened=opened,
            fleet=fleet,
            goal=self._goal,
            policy_version=self._policy.version,
            assigned=assigned,
            state=self._roster.conditions(),
        )
        began = self._now()
        await self._bus.publish(opened)
        await self._wait(self._closed, self._settings.round_timeout)
        ledger, self._ledger = self._ledger, None
        waited_ms = (self._now() - began) * 1000
        if not ledger.outcomes:
            _log.warning("round without outcomes", round=number)
            return
        try:
            await self._bus.publish(ledger.join(self._roster.conditions(), waited_ms))
        except TryLater as error:
            _log.error("experience lost", round=number, reason=str(error))

    async def _put_in_force(self, name: str) -> dict[str, str]:
        fleet, active = self._roster.fleet, self._roster.active(self._now())
        assert fleet is not None, "nothing can be assigned before a device is known"
        assigned = await asyncio.to_thread(
            self._policy.choose,
            name,
            fleet,
            self._roster.cloud,
            active,
            self._roster.conditions(),
            self._goal,
        )
        self._in_force, self._policy_name = {**self._in_force, **assigned}, name
        return assigned

    async def _adopt_news(self) -> None:
        """Take up the newest announced policy, between rounds."""
        news, self._news = self._news, None
        if news is None or (self._policy.version or -1) >= news.version:
            return
        try:
            self._policy.adopt(news.version, await self._store.read(news))
        except TryLater:
            self._news = self._news or news
        except (Unprocessable, ValueError) as error:
            _log.error("policy refused", version=news.version, reason=str(error))

    async def _ready(self, number: int) -> bool:
        """Whether there is anyone to decide for; the first round waits for the whole fleet."""
        active = self._roster.active(self._now())
        enough = len(active) >= (self._settings.devices if number == 1 else 1)
        complete = self._roster.nodes >= self._settings.nodes or number > 1
        if enough and complete:
            return True
        await self._pause(POLL)
        return False

    async def _next_number(self) -> int:
        last = await last_one(self._bus, Experience)
        return 1 if last is None else last[1].round + 1

    async def _pause(self, seconds: float) -> None:
        await self._wait(self._stop, max(seconds, 0.0))

    async def _wait(self, event: asyncio.Event, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await event.wait()
        except TimeoutError:
            return

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    async def _on_capability(self, message: Capability) -> None:
        self._roster.can(message, self._now())

    async def _on_telemetry(self, message: Telemetry) -> None:
        self._roster.looks(message, self._now())

    async def _on_outcome(self, message: Outcome) -> None:
        self._roster.alive(message.device, self._now())
        if self._ledger is not None and self._ledger.record(message) and self._ledger.complete:
            self._closed.set()

    async def _on_goal(self, message: GoalSet) -> None:
        self._goal = message.goal

    async def _on_parameters(self, message: Parameters) -> None:
        self._news = message
