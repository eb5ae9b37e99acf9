"""Window after window, at the pace of the clock: decide, announce, join what has been reported."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from tercet.experience.demand import DemandEstimator
from tercet.experience.first_uses import FirstUses
from tercet.experience.own_queue import OwnQueueEstimator
from tercet.experience.window_join import WindowJoiner
from tercet.experience.window_record import InForce, WindowRecord
from tercet.messaging.bus import Bus
from tercet.messaging.stream_reader import last_message
from tercet.process import log, metrics
from tercet.process.errors import TryLater
from tercet.process.waiting import within
from tercet.schemas import clock
from tercet.schemas.experience_v2 import Experience
from tercet.schemas.outcome import Outcome
from tercet.schemas.window_v1 import Window
from tercet.services.orchestrator.decide.decider_state import DeciderState
from tercet.services.orchestrator.decide.impossible import impossible
from tercet.services.orchestrator.decide.policy_process import PolicyProcess
from tercet.services.orchestrator.decide.policy_versions import PolicyVersions
from tercet.services.orchestrator.decide.round_metrics import RoundMetrics
from tercet.services.orchestrator.decide.window_decision import Conditions, WindowDecision
from tercet.services.orchestrator.settings import OrchestratorSettings

REPORTING_S = 1.0
"""Seconds that an outcome may take from a gateway, beyond the deadline of its request."""
UNPUBLISHED = 300
"""Closed windows that wait for the broker, at most."""

_log = log.get(__name__)


class WindowController:
    """Requests come from applications; nothing here asks for any."""

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
        self._state, self._versions, self._policy = state, versions, policy
        self._decision = WindowDecision(policy.choose, settings.window)
        self._announce = announce
        self._joiner = WindowJoiner(settings.window, settings.deadline + REPORTING_S)
        self._demand = DemandEstimator(settings.demand_memory)
        self._queues = OwnQueueEstimator(settings.demand_memory)
        self._first_uses = FirstUses()
        self._closed: deque[tuple[WindowRecord, Experience]] = deque(maxlen=UNPUBLISHED)
        """Windows whose experience is not published yet."""
        self.metrics = RoundMetrics()

    async def run(self) -> None:
        """Until `stop`."""
        number = await self._recall()
        while not self._stop.is_set():
            began = self._state.now()
            if self._state.active():
                await self._open(number)
                number += 1
            elif (current := self._joiner.current) is not None and current.ended is None:
                current.end(began, self._state.conditions())
            await self._close()
            await within(self._stop, max(0.0, began + self._settings.window - self._state.now()))

    async def on_outcome(self, message: Outcome) -> None:
        """Enter an outcome into its window. An impossible one is dead-lettered."""
        state, now = self._state, self._state.now()
        state.add_outcome(message)
        if reason := impossible(message, self._waited_ms(message, now)):
            metrics.IMPOSSIBLE.inc()
            await self._bus.dead_letter(message.subject, message.model_dump_json().encode(), reason)
            return
        first = self._first_uses.is_first(message, now)
        result = self._joiner.add(message, now, first)
        metrics.JOINED.labels(result).inc()
        teaches = message.begun and not message.straddled and not first
        if result == "counted" and message.assigned is not None and teaches:
            self._decision.reported(message.row, message.assigned)
        elif result == "late":
            self.metrics.add_missing(message.count)
            late_s = self._joiner.late_by(message.window or 0, now)
            self._demand.add_late(message.row, message.count, late_s)

    def _waited_ms(self, message: Outcome, now: float) -> float:
        """Milliseconds since the window of an outcome began; without one, no limit."""
        began = self._joiner.began_at(message.window or 0)
        return float("inf") if began is None else (now - began) * 1000

    async def _open(self, number: int) -> None:
        """Decide for a window by what is known now, put it in force, and announce both."""
        state = self._state
        await self._versions.adopt()
        fleet, active = state.fleet, state.active()
        self._demand.keep(fleet.rows)
        self._queues.keep(fleet.rows)
        state.demand = self._demand.rates(fleet.rows)
        state.own_queue = self._queues.means(fleet.rows)
        context = state.context(fleet, active)
        exploring = state.exploring and not self._versions.state.comparing
        conditions = Conditions(self._policy.version, exploring, state.resets)
        chosen = await self._decision.choose(context, conditions)
        state.window = number
        state.put_in_force(chosen.policy, chosen.assigned)
        await self._announce()  # A request that carries the number was decided by these.
        window = Window(
            number=number,
            start=clock.now(),
            length_s=self._settings.window,
            assignment=state.assignment,
        )
        decided = InForce(
            fleet=fleet,
            goal=context.goal,
            policy=chosen.policy,
            policy_version=chosen.version,
            assigned=chosen.assigned,
            greedy=chosen.greedy,
            demand=context.demand,
            goals=context.goals,
            state=context.conditions,
            own_queue=context.own_queue,
        )
        self._joiner.open(WindowRecord(window, decided, began=state.now()))
        await self._bus.publish(window)

    async def _close(self) -> None:
        """Close the windows that have waited long enough, and publish their experience."""
        for record in self._joiner.due(self._state.now()):
            self._demand.add(record.seconds, record.in_force.assigned, record.arrived)
            demand = self._demand.rates(record.in_force.assigned)
            queues = self._queues.add(record.outcomes.values(), record.seconds)
            if (experience := record.join(demand, queues)) is not None:
                self._closed.append((record, experience))
        while self._closed:
            record, experience = self._closed[0]
            try:
                await self._publish(record, experience)
            except TryLater as error:
                number = record.number
                _log.error("experience not published yet", window=number, reason=str(error))
                return
            self._closed.popleft()

    async def _publish(self, record: WindowRecord, experience: Experience) -> None:
        """Publish what became of a window. Raises TryLater."""
        await self._bus.publish(experience)
        self.metrics.add_window(experience, record.outcomes.values())
        await self._policy.add_round(experience)
        await self._versions.round_closed(experience)

    async def _recall(self) -> int:
        """Take up the demand of a former process; return the number of the first window."""
        experience = await last_message(self._bus, Experience)
        window = await last_message(self._bus, Window)
        if experience is not None:
            rows = experience[1].active
            self._demand.recall({r.row: r.demand for r in rows if r.demand is not None})
            self._queues.recall({r.row: r.own_queue for r in rows if r.own_queue})
        last = experience[1].window if experience else 0
        return 1 + max(last, window[1].number if window else 0)
