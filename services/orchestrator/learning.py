"""The shell of the learning role: hear experience, think in a thread, say parameters."""

from __future__ import annotations

import asyncio

from runtime import log
from runtime.bus import Bus
from runtime.durable import consume
from runtime.errors import TryLater
from runtime.replay import replay
from runtime.store import ParameterStore
from schemas.experience import Experience
from schemas.plan import Plan
from schemas.planned import Planned
from schemas.reset import Reset
from services.orchestrator.learner import Learner
from services.orchestrator.settings import Settings

MEMORY = 5000
"""Real experiences read back at start, newest last."""
REST = 0.05
"""Seconds of rest after an update, so that planned batches of one round share one update."""

_log = log.get(__name__)


async def learn(bus: Bus, settings: Settings, stop: asyncio.Event) -> None:
    """Learn from the two experience subjects until `stop`."""
    learning = Learning(bus, settings, await ParameterStore.open(bus))
    await bus.listen(Reset, learning.on_reset)
    await learning.recall()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(
            consume(bus, Experience, learning.on_real, durable="learner-real", stop=stop)
        )
        tasks.create_task(
            consume(bus, Planned, learning.on_planned, durable="learner-planned", stop=stop)
        )
        tasks.create_task(learning.improve(stop))


class Learning:
    """Wires the learner to the bus: one update for all that arrived since the last."""

    def __init__(self, bus: Bus, settings: Settings, store: ParameterStore) -> None:
        self._bus, self._settings, self._store = bus, settings, store
        self._learner = Learner(settings.seed)
        self._seen = 0
        self._fresh = asyncio.Event()
        self._busy = asyncio.Lock()

    async def recall(self) -> None:
        """Read the stream back: what was acknowledged is not delivered again."""
        async for sequence, experience in replay(self._bus, Experience, last=MEMORY):
            self._learner.real(experience)
            self._seen = sequence
        if self._seen:
            _log.info("recalled", experiences=self._learner.learned, sequence=self._seen)
            self._fresh.set()

    async def on_real(self, experience: Experience) -> None:
        """A round was measured: take it in, and ask for plans from where it ended."""
        async with self._busy:
            new = self._learner.real(experience)
        if new:
            self._fresh.set()
            await self._bus.publish(plan_after(experience))

    async def on_planned(self, batch: Planned) -> None:
        """A member imagined something."""
        async with self._busy:
            new = self._learner.planned(batch)
        if new:
            self._fresh.set()

    async def improve(self, stop: asyncio.Event) -> None:
        """Update and publish whenever there is something new."""
        while not stop.is_set():
            if not await _within(self._fresh, 0.5):
                continue
            self._fresh.clear()
            async with self._busy:
                blob = await asyncio.to_thread(self._learner.improve)
                learned, newest = self._learner.learned, self._learner.round
                ids = str(self._learner.tally)
            if blob is not None:
                await self._publish(blob, learned, newest, ids)
            await _within(stop, REST)

    async def on_reset(self, _: Reset) -> None:
        """Forget on purpose."""
        async with self._busy:
            self._learner = Learner(self._settings.seed)

    async def _publish(self, blob: bytes, learned: int, newest: int, ids: str) -> None:
        try:
            await self._store.publish(
                "policy", blob, seen=self._seen, learned=learned, newest_round=newest, ids=ids
            )
        except TryLater as error:
            _log.warning("policy not published", reason=str(error))
            self._fresh.set()


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


async def _within(event: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True
