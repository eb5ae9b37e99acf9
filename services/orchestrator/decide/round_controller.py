"""Round after round: open it, wait for its outcomes, publish what it taught."""

from __future__ import annotations

import asyncio
from collections import deque

from tercet.messaging.bus import Bus
from tercet.messaging.replay import last_message
from tercet.process import log
from tercet.process.errors import TryLater
from tercet.process.waiting import first_of
from tercet.schemas.experience import Experience
from tercet.schemas.fleet import Fleet
from tercet.schemas.outcome import Outcome
from tercet.schemas.round import Round
from tercet.services.orchestrator.decide.decider_state import DeciderState
from tercet.services.orchestrator.decide.reporting import RoundMetrics
from tercet.services.orchestrator.decide.round_record import RoundRecord
from tercet.services.orchestrator.decide.schedule import EXPLORE, GREEDY, PROFILE, Schedule
from tercet.services.orchestrator.decide.screening import bury, screened
from tercet.services.orchestrator.settings import Settings

POLL = 0.1
"""Seconds between two looks whether enough nodes are there."""
AFTERWARDS = 1.0
"""Seconds between two decisions once the schedule is over: a new goal is obeyed then too."""
REMEMBERED = 64
"""Rounds of which it is remembered that they taught something: the largest useful staleness."""

_log = log.get(__name__)


class RoundController:
    """Owns the assignment in force and the open round."""

    def __init__(
        self, bus: Bus, settings: Settings, situation: DeciderState, stop: asyncio.Event
    ) -> None:
        self._bus, self._settings, self._situation, self._stop = bus, settings, situation, stop
        self._schedule = Schedule(settings.rounds, settings.evaluations, settings.after)
        self._closed = asyncio.Event()
        self._taught: deque[int] = deque(maxlen=REMEMBERED)
        self._frozen: dict[tuple[str, tuple[str, ...], str], dict[str, str]] = {}
        """Choices of the evaluation: one policy is one assignment, so that it can be compared."""
        self._began = 0.0
        """When the open round was opened, on the loop's clock."""
        self.ledger: RoundRecord | None = None
        self.in_force: dict[str, str] = {}
        self.policy_name = PROFILE
        self.tally = RoundMetrics()

    async def conduct(self) -> None:
        """Until `stop`; when the schedule is over the learned policy stays in force."""
        number = await self._next_number()
        while not self._stop.is_set():
            started = self._situation.now()
            if not self._ready(number):
                await self._wait(self._stop, POLL)
            elif self._schedule.over(number):
                await self._situation.versions.obey()
                await self._put_in_force(GREEDY, self._situation.fleet, self._situation.active())
                await self._wait(self._stop, AFTERWARDS)
            else:
                if await self._round(number):
                    number += 1
                period = self._settings.round_period
                await self._wait(self._stop, started + period - self._situation.now())

    async def on_outcome(self, message: Outcome) -> None:
        """Enter an outcome; the last one closes the round."""
        self._situation.heard_from(message, self.in_force.get(message.device))
        waited_ms = (self._situation.now() - self._began) * 1000
        ledger = self.ledger
        if ledger is not None and ledger.record(message, waited_ms) and ledger.complete:
            self._closed.set()

    async def _round(self, number: int) -> bool:
        """Conduct a round; False when nothing came of it, so that it is to be repeated."""
        ledger = await self._open(number)
        self._began = self._situation.now()
        await self._bus.publish(ledger.opened)
        await self._wait(self._closed, self._settings.round_timeout)
        self.ledger = None
        if not ledger.outcomes or self._stop.is_set():
            _log.warning("round without outcomes", round=number)
            return False
        waited_ms = (self._situation.now() - self._began) * 1000
        joined = ledger.join(self._situation.conditions(), waited_ms)
        experience = await screened(self._situation.policy, joined)
        try:
            await self._bus.publish(experience)
        except TryLater as error:
            _log.error("experience lost", round=number, reason=str(error))
            return False
        self.tally.add(experience, ledger.outcomes.values())
        await bury(self._bus, ledger, experience)
        if ledger.opened.purpose == "learn":
            self._taught.append(number)
            await self._situation.versions.seen(experience)
        return True

    async def _open(self, number: int) -> RoundRecord:
        """Choose the assignment of a round and put it in force."""
        purpose, name = self._schedule.round(number)
        learning = purpose == "learn"
        if learning or not self._frozen:
            await self._catch_up(learning)
        situation = self._situation
        if name == EXPLORE and (not situation.exploring or situation.versions.on_trial):
            name = GREEDY
        fleet, active = self._situation.fleet, self._situation.active()
        assigned = await self._put_in_force(name, fleet, active, freeze=not learning)
        greedy = await self._situation.choose(GREEDY, fleet, active) if learning else {}
        self._closed.clear()
        self.ledger = RoundRecord(
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
        self, name: str, fleet: Fleet, active: tuple[str, ...], *, freeze: bool = False
    ) -> dict[str, str]:
        """Choose and put in force; a frozen choice is kept while the same devices are there."""
        key = (name, active, self._situation.goal)
        assigned = self._frozen.get(key) if freeze else None
        if assigned is None:
            assigned = await self._situation.choose(name, fleet, active)
        if freeze:
            self._frozen[key] = assigned
        self.in_force, self.policy_name = {**self.in_force, **assigned}, name
        return assigned

    async def _catch_up(self, learning: bool) -> None:
        """Take up the newest parameters, between rounds.

        With a staleness limit a learning round waits for parameters that are no more than so
        many rounds behind; evaluation begins with parameters that have seen all, and keeps them.
        Requests are answered meanwhile; only the next round waits.
        """
        settings = self._settings
        if not learning:
            await self._learned_enough(1, settings.evaluation_patience)
        elif settings.max_staleness is not None:
            await self._learned_enough(settings.max_staleness, settings.staleness_patience)
        await self._situation.versions.adopt()

    async def _learned_enough(self, behind: int, patience: float) -> None:
        if len(self._taught) < behind:
            return
        needed, situation = self._taught[-behind], self._situation
        versions = situation.versions
        deadline, resets = situation.now() + patience, situation.resets
        while versions.newest_round < needed and not self._stop.is_set():
            if situation.resets > resets:
                self._taught.clear()
                return
            versions.heard.clear()
            await self._wait(versions.heard, POLL)
            if situation.now() > deadline:
                _log.warning("parameters are stale", needed=needed, newest=versions.newest_round)
                return

    def _ready(self, number: int) -> bool:
        """Whether there is anyone to decide for; the first round waits for the whole fleet."""
        present = len(self._situation.active())
        if number > 1:
            return present > 0
        complete = self._situation.roster.nodes >= self._settings.nodes
        return complete and present >= self._settings.devices

    async def _next_number(self) -> int:
        last = await last_message(self._bus, Experience)
        return 1 if last is None else last[1].round + 1

    async def _wait(self, event: asyncio.Event, seconds: float) -> None:
        """Wait for an event, `stop`, or so many seconds, whichever comes first."""
        await first_of(event, self._stop, seconds=max(seconds, 0.0))
