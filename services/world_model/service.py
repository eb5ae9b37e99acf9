"""A worker: trains the members whose slots it holds, and takes planning jobs."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from functools import partial

from tercet.experience.history import History
from tercet.experience.reporting import report
from tercet.messaging.bus import Bus
from tercet.messaging.durable import consume
from tercet.messaging.lease import Leases
from tercet.messaging.parameter_store import VALUES, ParameterStore
from tercet.messaging.slot_balancer import SlotBalancer
from tercet.process import log, metrics
from tercet.process.errors import Fenced, Gone, TryLater, Unprocessable
from tercet.process.waiting import within
from tercet.schemas.learning import Learning
from tercet.schemas.parameters import Parameters
from tercet.schemas.plan import Plan
from tercet.schemas.reset import Reset
from tercet.services.world_model.agents import member_of, planner_of, slots_of
from tercet.services.world_model.settings import WorldModelSettings
from tercet.services.world_model.slot import Slot

POLICY = "policy"
"""Owner of the policy's parameters: what a state is worth depends on the costs in it."""

REFRESH_S = 5.0
"""Seconds between two reads of the current versions: announcements are not stored."""

_log = log.get(__name__)


async def main(bus: Bus, settings: WorldModelSettings, stop: asyncio.Event) -> None:
    """Train a fair share of the members, and plan, until `stop`."""
    worker = Worker(bus, settings, await ParameterStore.open(bus))
    leases = await Leases.open(bus, tuple(slots_of(settings)), settings.worker, settings.lease_ttl)
    await bus.subscribe(Parameters, worker.on_parameters)
    await bus.subscribe(Reset, worker.on_reset)
    metrics.MEMBERS_HELD.labels(settings.worker).set_function(lambda: len(leases.held))
    bus.ready = True
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(SlotBalancer(bus, leases, worker.train, settings.lease_period).run(stop))
        tasks.create_task(consume(bus, Plan, worker.on_plan, durable="planner", stop=stop))
        tasks.create_task(worker.refresh(stop))
        tasks.create_task(report(bus, worker.status, stop))


class Worker:
    """Connects members and planner to the bus."""

    def __init__(self, bus: Bus, settings: WorldModelSettings, store: ParameterStore) -> None:
        self._bus, self._settings, self._store = bus, settings, store
        self._history = History(bus, settings.memory)
        self._planner = planner_of(settings)
        self._slots = slots_of(settings)
        self._held: set[Slot] = set()
        self._refused: dict[str, int] = {}
        """Owner to the version of its parameters that was refused: dead-lettered once."""

    async def train(self, slot: str, epoch: int, release: asyncio.Event) -> None:
        """Train one member for as long as its slot is held."""
        create = member_of(self._settings, self._slots[slot])
        held = Slot(self._bus, self._store, self._history, create, epoch)
        self._held.add(held)
        try:
            await held.hold(release)
        finally:
            self._held.remove(held)

    def status(self) -> list[Learning]:
        """The periodic report of each held member."""
        return [held.status(self._settings.worker) for held in self._held]

    async def on_reset(self, _: Reset) -> None:
        """Start again: the streams and the parameters have been emptied."""
        self._history.clear()
        self._planner.clear()
        for held in self._held:
            held.reset()

    async def on_plan(self, job: Plan) -> None:
        """Plan what a job asks for, one batch per member.

        Raises TryLater without the store, Unprocessable for unknown options, or none.
        """
        if self._planner.lacks_any(self._slots.values()):
            await self._load_current()
        try:
            found = await asyncio.to_thread(self._planner.plan, job)
        except (ValueError, LookupError) as error:
            raise Unprocessable(f"Plan: cannot be planned: {error}") from error
        if found.values is not None:
            await self._publish_values(job, found.values)
        for batch in found.batches:
            await self._bus.publish(batch)
        metrics.PLANNED.labels("imagined").inc(len(found.batches))
        _log.debug("planning job done", job=str(job.id))

    async def _publish_values(self, job: Plan, blob: bytes) -> None:
        """Publish, unless another worker has published those of a newer window."""
        try:
            await self._store.publish(VALUES, blob, epoch=job.seed, newest_round=job.seed)
        except Fenced as error:
            _log.info("values not published", reason=str(error))

    async def on_parameters(self, message: Parameters) -> None:
        """Load the parameters that a member or the policy has announced."""
        with contextlib.suppress(TryLater):  # The next refresh reads them.
            await self._load(message)

    async def refresh(self, stop: asyncio.Event) -> None:
        """Load the current parameters of all, once a period."""
        while not stop.is_set():
            try:
                await self._load_current()
            except TryLater as error:
                _log.warning("parameters not read", reason=str(error))
            await within(stop, REFRESH_S)

    async def _load_current(self) -> None:
        for owner in (POLICY, VALUES, *self._slots):
            pointer = await self._store.pointer(owner)
            if pointer is not None:
                await self._load(pointer)

    async def _load(self, message: Parameters) -> None:
        """Load parameters that are newer; malformed ones are dead-lettered."""
        load = self._loader(message)
        if load is None or self._refused.get(message.owner) == message.version:
            return
        try:
            load(message.version, await self._store.read(message))
        except Gone as error:
            _log.info("parameters skipped", reason=str(error))
        except (Unprocessable, ValueError) as error:
            self._refused[message.owner] = message.version
            await self._bus.dead_letter(
                message.subject, message.model_dump_json().encode(), str(error)
            )

    def _loader(self, message: Parameters) -> Callable[[int, bytes], None] | None:
        """What takes the parameters of an owner; None when they are not newer."""
        planner, slot = self._planner, self._slots.get(message.owner)
        if message.owner == POLICY and planner.is_newer_policy(message.version):
            return planner.load_policy
        if message.owner == VALUES and planner.is_newer_values(message.version):
            return planner.load_values
        if slot is not None and planner.is_newer(slot, message.version):
            return partial(planner.load, slot)
        return None
