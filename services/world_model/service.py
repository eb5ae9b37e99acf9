"""The shell of a worker: members learn side by side, and one planner takes jobs."""

from __future__ import annotations

import asyncio

from runtime import log
from runtime.bus import Bus
from runtime.durable import consume
from runtime.errors import TryLater, Unprocessable
from runtime.replay import replay
from runtime.store import ParameterStore
from runtime.topology import MEMBERS
from schemas.experience import Experience
from schemas.parameters import Parameters
from schemas.plan import Plan
from services.world_model.member import Member
from services.world_model.planner import Planner
from services.world_model.settings import Settings

_log = log.get(__name__)


async def main(bus: Bus, settings: Settings, stop: asyncio.Event) -> None:
    """Learn and plan until `stop`. This worker holds all members."""
    worker = Worker(bus, settings, await ParameterStore.open(bus))
    await worker.listen()
    async with asyncio.TaskGroup() as tasks:
        for slot in range(MEMBERS):
            tasks.create_task(worker.learn(slot, stop))
        tasks.create_task(consume(bus, Plan, worker.on_plan, durable="planner", stop=stop))


class Worker:
    """Wires members and planner to the bus."""

    def __init__(self, bus: Bus, settings: Settings, store: ParameterStore) -> None:
        self._bus, self._settings, self._store = bus, settings, store
        self._planner = Planner()

    async def listen(self) -> None:
        """Hear of new parameters from now on, and recall those that are current."""
        await self._bus.listen(Parameters, self._on_parameters)
        for slot in range(MEMBERS):
            pointer = await self._store.pointer(f"member-{slot}")
            if pointer is not None:
                await self._on_parameters(pointer)

    async def learn(self, slot: int, stop: asyncio.Event) -> None:
        """Hold one member: recall what it had seen, then learn from each new round."""
        member = Member(slot, self._settings.seed)
        async for _, experience in replay(self._bus, Experience, last=self._settings.memory):
            member.real(experience)
        if member.learned:
            await self._publish(member)

        async def on_real(experience: Experience) -> None:
            if member.real(experience):
                await self._publish(member)

        await consume(self._bus, Experience, on_real, durable=f"member-{slot}", stop=stop)

    async def on_plan(self, job: Plan) -> None:
        """Imagine what a job asks for, one batch per member."""
        for batch in await asyncio.to_thread(self._planner.imagine, job):
            await self._bus.publish(batch)

    async def _publish(self, member: Member) -> None:
        blob = await asyncio.to_thread(member.improve)
        if blob is not None:
            await self._store.publish(f"member-{member.slot}", blob, learned=member.learned)

    async def _on_parameters(self, message: Parameters) -> None:
        if not message.owner.startswith("member-"):
            return
        try:
            blob = await self._store.read(message)
            self._planner.adopt(int(message.owner.removeprefix("member-")), message.version, blob)
        except (TryLater, Unprocessable, ValueError) as error:
            _log.error("parameters not taken up", owner=message.owner, reason=str(error))
