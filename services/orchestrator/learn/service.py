"""The shell of the learning role: hear experience, think in a thread, say parameters.

The durable on real experience rings; what is new is then read from the stream, in its order. So
all that waits shares one update, and a restart, which reads the same stream, ends up the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from tercet.experience.history import History
from tercet.experience.reporting import PERIOD, Rates, report
from tercet.messaging.bus import Bus
from tercet.messaging.durable import consume
from tercet.messaging.parameter_store import ParameterStore
from tercet.process import log, metrics
from tercet.process.errors import TryLater
from tercet.process.waiting import within
from tercet.schemas import learning as words
from tercet.schemas.experience import Experience
from tercet.schemas.parameters import Parameters
from tercet.schemas.plan import Plan
from tercet.schemas.planned import Planned
from tercet.schemas.reset import Reset
from tercet.services.orchestrator.learn.trainer import Trainer
from tercet.services.orchestrator.settings import OrchestratorSettings

MEMORY = 5000
"""Real experiences read back at start."""
REST = 0.02
"""Seconds of rest after an update, so that planned batches of one round share one."""
PLANNED_WAITING = 1000
"""Planned batches that may wait for an update; the oldest are dropped, newer plans are better."""

T = TypeVar("T")

_log = log.get(__name__)


class _Forgotten(Exception):
    """What was being learned is not to be known any more."""


async def learn(bus: Bus, settings: OrchestratorSettings, stop: asyncio.Event) -> None:
    """Learn from the two experience subjects until `stop`."""
    learning = Learning(bus, settings, await ParameterStore.open(bus))
    await bus.subscribe(Reset, learning.on_reset)
    await bus.subscribe(Parameters, learning.on_parameters)
    bus.ready = True
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(
            consume(bus, Experience, learning.on_real, durable="learner-real", stop=stop)
        )
        tasks.create_task(
            consume(bus, Planned, learning.on_planned, durable="learner-planned", stop=stop)
        )
        tasks.create_task(learning.improve(stop))
        tasks.create_task(report(bus, learning.said, stop))


class Learning:
    """Wires the learner to the bus: one update for all that arrived since the last."""

    def __init__(self, bus: Bus, settings: OrchestratorSettings, store: ParameterStore) -> None:
        self._bus, self._settings, self._store = bus, settings, store
        self._learner = Trainer(settings.seed, max_plan_age=settings.max_plan_age)
        self._history = History(bus, MEMORY)
        self._planned: list[Planned] = []
        self._seen = 0
        self._owing = False
        self._fresh = asyncio.Event()
        self._fresh.set()  # There may be something to recall.
        self._rates = Rates()
        self._version: int | None = None
        self._greedy_ms: float | None = None
        self._looked = 0.0

    async def on_real(self, _: Experience) -> None:
        """A round was measured; it will be read from the stream."""
        self._fresh.set()

    async def on_planned(self, batch: Planned) -> None:
        """A member imagined something."""
        self._planned = [*self._planned[1 - PLANNED_WAITING :], batch]
        self._fresh.set()

    async def on_parameters(self, message: Parameters) -> None:
        """A member learned: what it planned long before is stale."""
        kind, _, member = message.owner.partition("-")
        if kind == "member" and member.isdigit():
            self._learner.newest(int(member), message.version)

    async def on_reset(self, _: Reset) -> None:
        """Forget on purpose; a turn that is under way ends with nothing said."""
        self._learner = Trainer(self._settings.seed, max_plan_age=self._settings.max_plan_age)
        self._planned, self._seen, self._owing = [], 0, False
        self._version = self._greedy_ms = None
        self._history.clear()
        self._fresh.set()

    def said(self) -> list[words.Learning]:
        """How learning goes."""
        learner, latest = self._learner, self._learner.latest
        now = asyncio.get_running_loop().time()
        real, planned = self._rates.look(now, (learner.learned, learner.plans))
        executed, greedy = latest.average_ms if latest else None, self._greedy_ms
        return [
            words.Learning(
                owner="policy",
                role="learner",
                round=learner.round,
                version=self._version,
                real=learner.learned,
                planned=learner.plans,
                dropped=learner.stale,
                real_per_s=real,
                planned_per_s=planned,
                alpha=learner.alpha,
                buffers=learner.buffers,
                error=learner.foresight.error,
                greedy_ms=greedy,
                executed_ms=executed,
                gap=executed / greedy - 1 if executed is not None and greedy else None,
            )
        ]

    async def improve(self, stop: asyncio.Event) -> None:
        """Update and publish whenever there is something new."""
        while not stop.is_set():
            if not await within(self._fresh, 0.5):
                continue
            self._fresh.clear()
            try:
                await self._turn()
            except TryLater as error:
                _log.warning("cannot learn now", reason=str(error))
                self._fresh.set()
                await within(stop, error.delay)
            except _Forgotten:
                _log.info("a turn was broken off by a reset")
            except Exception:  # Else it would be read back, and raised again, after every restart.
                _log.exception("not learned")
            await within(stop, REST)

    async def _turn(self) -> None:
        """Take in all that is new, update once, publish, and ask for plans from the newest round.

        What was taken in but could not be published is owed, and published by a later turn.
        """
        learner, before = self._learner, self._learner.learned
        async for entries in self._history.since(self._seen):
            real = [experience for _, experience in entries]
            self._owing |= await self._think(learner, partial(learner.take_in, real, ()))
            self._seen = entries[-1][0]
        planned, self._planned = self._planned, []
        self._owing |= await self._think(learner, partial(learner.take_in, (), planned))
        if self._owing:
            with metrics.UPDATE.labels("policy").time():
                blob = await self._think(learner, learner.improve)
            if blob is not None:
                await self._publish(learner, blob)
            self._owing = False
            await self._look(learner)
        if learner.latest is not None and learner.learned > before:
            await self._bus.publish(plan_after(learner.latest))

    async def _think(self, learner: Trainer, thought: Callable[[], T]) -> T:
        """Think in a thread; raises _Forgotten when there was a reset meanwhile."""
        result = await asyncio.to_thread(thought)
        if learner is not self._learner:
            raise _Forgotten
        return result

    async def _look(self, learner: Trainer) -> None:
        """See what the greedy assignment promises, once per report at most."""
        now = asyncio.get_running_loop().time()
        if now - self._looked > PERIOD:
            self._looked = now
            self._greedy_ms = await asyncio.to_thread(learner.greedy_ms)

    async def _publish(self, learner: Trainer, blob: bytes) -> None:
        pointer = await self._store.publish(
            "policy",
            blob,
            seen=self._seen,
            learned=learner.learned,
            newest_round=learner.round,
            ids=str(learner.tally),
        )
        self._version = pointer.version
        metrics.VERSION.labels("policy").set(pointer.version)
        metrics.EXPERIENCES_IN_EFFECT.labels("policy").set(learner.learned)


def plan_after(experience: Experience) -> Plan:
    """A job for the planners: imagine rounds from the state in which this one ended."""
    return Plan.because(
        experience,
        goal=experience.goal,
        fleet=experience.fleet,
        active=experience.active,
        state=experience.next_state,
        transitions=4,
        seed=experience.round,
    )
