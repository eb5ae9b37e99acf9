"""Round after round: open it, wait for its outcomes, publish its experience."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from tercet.messaging.bus import Bus
from tercet.messaging.stream_reader import last_message
from tercet.process import log, metrics
from tercet.process.errors import TryLater
from tercet.process.waiting import first_of
from tercet.schemas.experience_v2 import Experience
from tercet.schemas.outcome import Outcome
from tercet.schemas.round import Round
from tercet.services.orchestrator.decide.decider_state import DeciderState
from tercet.services.orchestrator.decide.impossible import impossible
from tercet.services.orchestrator.decide.missed_rounds import MissedRounds
from tercet.services.orchestrator.decide.policy_interface import DecisionContext
from tercet.services.orchestrator.decide.policy_process import PolicyProcess
from tercet.services.orchestrator.decide.policy_versions import PolicyVersions
from tercet.services.orchestrator.decide.round_metrics import RoundMetrics
from tercet.services.orchestrator.decide.round_record import RoundRecord
from tercet.services.orchestrator.decide.schedule import EXPLORE, GREEDY, Schedule
from tercet.services.orchestrator.settings import OrchestratorSettings

POLL_S = 0.1
"""Seconds between two checks whether enough nodes are present."""
AFTER_SCHEDULE_S = 1.0
"""Seconds between two decisions once the schedule is over: a new goal is applied then too."""
MAX_STALENESS = 64
"""Learning rounds whose numbers are kept: the largest useful staleness limit."""

_log = log.get(__name__)


class RoundController:
    """Writes the assignment in force and the open round into the state."""

    def __init__(
        self,
        bus: Bus,
        settings: OrchestratorSettings,
        state: DeciderState,
        versions: PolicyVersions,
        policy: PolicyProcess,
        stop: asyncio.Event,
        announce: Callable[[], Awaitable[None]],
    ) -> None:
        """`announce` publishes the decisions that have changed."""
        self._bus, self._settings, self._stop = bus, settings, stop
        self._announce = announce
        self._state, self._versions, self._policy = state, versions, policy
        self._schedule = Schedule(settings.rounds, settings.evaluations, settings.after)
        self._missed_rounds = MissedRounds()
        self._awaited = set[str]()
        """Devices that have not reported, and that the open round waits for."""
        self._settled, self._closed = asyncio.Event(), asyncio.Event()
        """Set when those have reported, and when all have."""
        self._learned_rounds: deque[int] = deque(maxlen=MAX_STALENESS)
        """Numbers of the latest learning rounds that were published."""
        self._evaluated: dict[tuple[object, ...], dict[str, str]] = {}
        """Assignments of the evaluation: each policy keeps its own, so that it can be compared."""
        self._resets = 0
        """Resets after which the above was collected."""
        self._opened_at = 0.0
        """When the open round was opened, on the loop's clock."""
        self.metrics = RoundMetrics()

    async def run(self) -> None:
        """Until `stop`; when the schedule is over the trained policy stays in force."""
        number = await self._next_number()
        while not self._stop.is_set():
            started = self._state.now()
            if not self._ready(number):
                await self._wait(self._stop, POLL_S)
            elif self._schedule.over(number):
                await self._versions.apply_command()
                context = self._context()
                self._state.put_in_force(GREEDY, await self._policy.choose(GREEDY, context) or {})
                await self._announce()
                await self._wait(self._stop, AFTER_SCHEDULE_S)
            else:
                if await self._round(number):
                    number += 1
                period = self._settings.round_period
                await self._wait(self._stop, started + period - self._state.now())

    async def on_outcome(self, message: Outcome) -> None:
        """Enter an outcome; the last one closes the round. An impossible one is dead-lettered."""
        self._state.add_outcome(message)
        self._missed_rounds.reported(message.device, message.round)
        waited_ms = (self._state.now() - self._opened_at) * 1000
        record = self._state.open_round
        if record is None or not record.expects(message):
            return
        if reason := impossible(message, waited_ms):
            record.refused.add(message.device)
            metrics.IMPOSSIBLE.inc()
            await self._bus.dead_letter(message.subject, message.model_dump_json().encode(), reason)
        else:
            record.add(message)
        self._awaited.discard(message.device)
        if not self._awaited:
            self._settled.set()
        if record.complete:
            self._closed.set()

    async def _round(self, number: int) -> bool:
        """Conduct a round; False when it has no experience and is to be repeated."""
        record = await self._open(number)
        if record is None:
            return True
        await self._announce()  # A gateway has its decision before the round that needs it.
        self._opened_at = self._state.now()
        await self._bus.publish(record.opened)
        await self._collect(record)
        self._state.open_round = None
        self._missed_rounds.closed(number, record.missing(), frozenset(self._state.active()))
        if not record.outcomes or self._stop.is_set():
            _log.warning("round without outcomes", round=number)
            return False
        experience = record.join(self._state.conditions())
        try:
            await self._bus.publish(experience)
        except TryLater as error:
            _log.error("experience not published", round=number, reason=str(error))
            return False
        self.metrics.add(experience, record.outcomes.values())
        await self._policy.add_round(experience)
        if record.opened.purpose == "learn":
            self._learned_rounds.append(number)
            await self._versions.round_closed(experience)
        return True

    async def _collect(self, record: RoundRecord) -> None:
        """Wait for the outcomes; for devices that miss rounds no longer than the others took."""
        timeout = self._settings.round_timeout
        await self._wait(self._settled, timeout)
        if record.outcomes:
            now = self._state.now()
            end = min(self._opened_at + timeout, self._missed_rounds.close_at(self._opened_at, now))
            await self._wait(self._closed, end - now)

    async def _open(self, number: int) -> RoundRecord | None:
        """Choose the assignment of a round and put it in force.

        None: the round is of a fixed policy that does not apply to these devices.
        """
        purpose, name = self._schedule.round(number)
        state, learning = self._state, purpose == "learn"
        self._forget_if_reset()
        if learning or not self._evaluated:
            await self._adopt_newest(learning)
            self._forget_if_reset()
        if name == EXPLORE and (not state.exploring or self._versions.state.comparing):
            name = GREEDY
        context = self._context()
        key = name, context.active, context.goal, context.fleet.options
        assigned = None if learning else self._evaluated.get(key)
        if assigned is None:
            assigned = await self._policy.choose(name, context)
        if assigned is None:
            _log.info("fixed policy does not apply: round skipped", round=number, policy=name)
            return None
        if not learning:
            self._evaluated[key] = assigned
        state.put_in_force(name, assigned)
        greedy = await self._policy.choose(GREEDY, context) if learning else None
        self._awaited = set(self._missed_rounds.awaited(frozenset(assigned)))
        self._settled.clear()
        self._closed.clear()
        state.open_round = RoundRecord(
            opened=Round(number=number, devices=tuple(assigned), purpose=purpose, policy=name),
            fleet=context.fleet,
            goal=context.goal,
            policy_version=self._policy.version,
            assigned=assigned,
            state=state.conditions(),
            greedy=greedy or {},
        )
        return state.open_round

    def _forget_if_reset(self) -> None:
        """What was learned before a reset is neither waited for nor evaluated after it."""
        if self._resets != self._state.resets:
            self._resets = self._state.resets
            self._learned_rounds.clear()
            self._evaluated.clear()

    def _context(self) -> DecisionContext:
        return self._state.context(self._state.fleet, self._state.active())

    async def _adopt_newest(self, learning: bool) -> None:
        """Adopt the newest parameters, between rounds.

        With a staleness limit a learning round waits for parameters that are no more than so
        many rounds behind; evaluation begins with parameters that have seen all, and keeps them.
        Requests are answered meanwhile; only the next round waits.
        """
        settings = self._settings
        if not learning:
            await self._wait_for_parameters(1, settings.evaluation_patience)
        elif settings.max_staleness is not None:
            await self._wait_for_parameters(settings.max_staleness, settings.staleness_patience)
        await self._versions.adopt()

    async def _wait_for_parameters(self, behind: int, seconds: float) -> None:
        """Until the newest parameters are at most so many rounds behind, or the time is over."""
        if len(self._learned_rounds) < behind:
            return
        needed, deadline = self._learned_rounds[-behind], self._state.now() + seconds
        while self._versions.state.newest_round < needed and not self._stop.is_set():
            if self._resets != self._state.resets:
                return
            self._versions.announced.clear()
            await self._wait(self._versions.announced, POLL_S)
            if self._state.now() > deadline:
                newest = self._versions.state.newest_round
                _log.warning("parameters are stale", needed=needed, newest=newest)
                return

    def _ready(self, number: int) -> bool:
        """Whether a device is present; the first round waits for the whole fleet."""
        present = len(self._state.active())
        if number > 1:
            return present > 0
        complete = self._state.registry.nodes >= self._settings.nodes
        return complete and present >= self._settings.devices

    async def _next_number(self) -> int:
        last = await last_message(self._bus, Experience)
        return 1 if last is None else last[1].window + 1

    async def _wait(self, event: asyncio.Event, seconds: float) -> None:
        """Wait for an event, `stop`, or so many seconds, whichever comes first."""
        await first_of(event, self._stop, seconds=max(seconds, 0.0))
