"""Shares leased slots out among workers: which workers run, and how many slots each may hold."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping

from tercet.messaging.bus import Bus
from tercet.messaging.lease import Leases
from tercet.messaging.nats_errors import NATS_ERRORS
from tercet.process import log
from tercet.process.errors import Fenced
from tercet.process.waiting import within
from tercet.schemas.worker import Worker

Work = Callable[[str, int, asyncio.Event], Awaitable[None]]
"""Does the work of a slot under an epoch until the event is set; raises Fenced when it is outdated.

It must not leave anything acknowledged that it has not published.
"""

_log = log.get(__name__)


def share(slots: int, me: str, holdings: Mapping[str, int]) -> int:
    """Return how many of `slots` are due to `me`; `holdings` counts what each worker holds.

    Every worker gets floor or ceil of slots / workers. The larger shares go to the workers that
    hold most already, then by name: so all agree, the shares add up, and no slot changes its
    worker without need.
    """
    ranks = sorted(holdings, key=lambda worker: (-holdings[worker], worker))
    least, larger = divmod(slots, len(ranks))
    return least + (ranks.index(me) < larger)


class SlotBalancer:
    """One worker among several: it holds its share of the slots, and announces itself.

    Once a period it renews its leases and reads all others. Then it releases what exceeds its
    share, or acquires free slots up to its share.
    """

    def __init__(self, bus: Bus, leases: Leases, work: Work, period: float) -> None:
        self._bus, self._leases, self._work, self._period = bus, leases, work, period
        self._last_seen: dict[str, float] = {}
        """Other workers, to the seconds since they announced themselves."""
        self._release: dict[str, asyncio.Event] = {}
        """Each slot that is worked on, to the event that ends its work."""

    async def run(self, stop: asyncio.Event) -> None:
        """Hold a fair share until `stop`, then release it. Continues after a broker restart."""
        await self._bus.subscribe(Worker, self._on_worker)
        async with asyncio.TaskGroup() as tasks:
            while not stop.is_set():
                await self._rebalance(tasks)
                await within(stop, self._period)
            for event in self._release.values():
                event.set()
        await self._announce(leaving=True)

    async def _rebalance(self, tasks: asyncio.TaskGroup) -> None:
        try:
            await self._announce()
            async for slot in self._leases.renew():  # Its work may end by itself at any moment.
                _log.warning("slot lost", slot=slot)
                self._release[slot].set()
            self._age(await self._leases.refresh())
            self._release_excess()
            await self._acquire_missing(tasks)
        except NATS_ERRORS as error:
            _log.warning("leases not renewed", reason=repr(error))
            self._leases.reset_unchanged()
            self._last_seen = dict.fromkeys(self._last_seen, 0.0)

    def _share(self) -> int:
        me = self._leases.holder
        counts = Counter(self._leases.holders().values())
        workers = {me, *counts, *self._last_seen}
        counts[me] = len(self._kept())
        return share(len(self._leases.slots), me, {worker: counts[worker] for worker in workers})

    def _kept(self) -> list[str]:
        """Return the slots that are held and not about to be released."""
        return [slot for slot in self._leases.held if not self._release[slot].is_set()]

    def _release_excess(self) -> None:
        """End the work on slots above our share; each lease is released when its work has ended."""
        for slot in sorted(self._kept())[self._share() :]:
            self._release[slot].set()

    async def _acquire_missing(self, tasks: asyncio.TaskGroup) -> None:
        """Acquire free slots up to our share, except those whose earlier work still runs here."""
        for slot in self._leases.free():
            if len(self._kept()) >= self._share():
                return
            if slot in self._release:
                continue
            epoch = await self._leases.acquire(slot)
            if epoch is not None:
                self._release[slot] = asyncio.Event()
                tasks.create_task(self._hold(slot, epoch, self._release[slot]), name=slot)

    async def _hold(self, slot: str, epoch: int, release: asyncio.Event) -> None:
        _log.info("slot acquired", slot=slot, epoch=epoch)
        try:
            await self._work(slot, epoch, release)
        except Fenced as fenced:
            _log.warning(
                "slot taken over by another worker", slot=slot, epoch=epoch, reason=str(fenced)
            )
        finally:
            await self._leases.release(slot)
            del self._release[slot]
        _log.info("slot released", slot=slot, epoch=epoch)

    def _age(self, seconds: float) -> None:
        aged = {worker: since + seconds for worker, since in self._last_seen.items()}
        self._last_seen = {w: since for w, since in aged.items() if since <= self._leases.ttl}

    async def _on_worker(self, message: Worker) -> None:
        if message.leaving:
            self._last_seen.pop(message.worker, None)
        elif message.worker != self._leases.holder:
            self._last_seen[message.worker] = 0.0

    async def _announce(self, *, leaving: bool = False) -> None:
        held = tuple(sorted(self._leases.held))
        await self._bus.publish(Worker(worker=self._leases.holder, slots=held, leaving=leaving))
