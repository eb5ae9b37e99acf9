"""Round after round: open it, wait for its outcomes, publish what it taught."""

from __future__ import annotations

import asyncio
from collections import deque

from runtime import log
from runtime.bus import Bus
from runtime.errors import TryLater
from runtime.replay import last_one
from schemas.experience import Experience
from schemas.fleet import Fleet
from schemas.outcome import Outcome
from schemas.round import Round
from services.orchestrator.ledger import Ledger
from services.orchestrator.schedule import GREEDY, PROFILE, Schedule
from services.orchestrator.settings import Settings
from services.orchestrator.situation import Situation

POLL = 0.1
"""Seconds between two looks whether enough nodes are there."""
REMEMBERED = 64
"""Rounds of which it is remembered that they taught something: the largest useful staleness."""

_log = log.get(__name__)


class Conductor:
    """Owns the assignment in force and the open round."""

    def __init__(
        self, bus: Bus, settings: Settings, situation: Situation, stop: asyncio.Event
    ) -> None:
        self._bus, self._settings, self._situation, self._stop = bus, settings, situation, stop
        self._schedule = Schedule(settings.rounds, settings.evaluations, settings.after)
        self._closed = asyncio.Event()
        self._taught: deque[int] = deque(maxlen=REMEMBERED)
        self.ledger: Ledger | None = None
        self.in_force: dict[str, str] = {}
        self.policy_name = PROFILE

    async def conduct(self) -> None:
        """Until `stop`; when the schedule is over the learned policy stays in force."""
        number = await self._next_number()
        while not self._stop.is_set():
            if not self._ready(number):
                await self._wait(self._stop, POLL)
                continue
            started = self._situation.now()
            if self._schedule.over(number):
                await self._put_in_force(GREEDY, self._situation.fleet, self._situation.active())
                await self._stop.wait()
                return
            await self._round(number)
            number += 1
            period = self._settings.round_period
            await self._wait(self._stop, started + period - self._situation.now())

    async def on_outcome(self, message: Outcome) -> None:
        """Enter an outcome; the last one closes the round."""
        self._situation.heard_from(message)
        if self.ledger is not None and self.ledger.record(message) and self.ledger.complete:
            self._closed.set()

    async def _round(self, number: int) -> None:
        ledger = await self._open(number)
        began = self._situation.now()
        await self._bus.publish(ledger.opened)
        await self._wait(self._closed, self._settings.round_timeout)
        self.ledger = None
        if not ledger.outcomes:
            _log.warning("round without outcomes", round=number)
            return
        waited_ms = (self._situation.now() - began) * 1000
        try:
            await self._bus.publish(ledger.join(self._situation.conditions(), waited_ms))
        except TryLater as error:
            _log.error("experience lost", round=number, reason=str(error))
            return
        if ledger.opened.purpose == "learn":
            self._taught.append(number)

    async def _open(self, number: int) -> Ledger:
        """Choose the assignment of a round and put it in force."""
        purpose, name = self._schedule.round(number)
        await self._learned_enough()
        await self._situation.adopt_news()
        fleet, active = self._situation.fleet, self._situation.active()
        assigned = await self._put_in_force(name, fleet, active)
        learning = purpose == "learn"
        greedy = await self._situation.choose(GREEDY, fleet, active) if learning else {}
        self._closed.clear()
        self.ledger = Ledger(
            opened=Round(number=number, devices=tuple(assigned), purpose=purpose, policy=name),
            fleet=fleet,
            goal=self._situation.goal,
            policy_version=self._situation.policy.version,
            assigned=assigned,
            state=self._situation.conditions(),
            greedy=greedy,
        )
        return self.ledger

    async def _put_in_force(
        self, name: str, fleet: Fleet, active: tuple[str, ...]
    ) -> dict[str, str]:
        assigned = await self._situation.choose(name, fleet, active)
        self.in_force, self.policy_name = {**self.in_force, **assigned}, name
        return assigned

    async def _learned_enough(self) -> None:
        """With a staleness limit: wait for parameters that lack no more than so many rounds.

        Requests are answered meanwhile; only the next round waits.
        """
        limit = self._settings.max_staleness
        if limit is None or len(self._taught) <= limit:
            return
        needed, situation = self._taught[-1 - limit], self._situation
        deadline = situation.now() + self._settings.staleness_patience
        resets = situation.resets
        while situation.newest_round < needed and not self._stop.is_set():
            if situation.resets > resets:
                self._taught.clear()
                return
            situation.heard_of_parameters.clear()
            await self._wait(situation.heard_of_parameters, POLL)
            if situation.now() > deadline:
                _log.warning("parameters are stale", needed=needed, newest=situation.newest_round)
                return

    def _ready(self, number: int) -> bool:
        """Whether there is anyone to decide for; the first round waits for the whole fleet."""
        present = len(self._situation.active())
        if number > 1:
            return present > 0
        complete = self._situation.roster.nodes >= self._settings.nodes
        return complete and present >= self._settings.devices

    async def _next_number(self) -> int:
        last = await last_one(self._bus, Experience)
        return 1 if last is None else last[1].round + 1

    async def _wait(self, event: asyncio.Event, seconds: float) -> None:
        try:
            async with asyncio.timeout(max(seconds, 0.0)):
                await event.wait()
        except TimeoutError:
            return
