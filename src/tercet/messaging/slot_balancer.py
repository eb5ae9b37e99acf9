"""Workers that share slots out among themselves: who is at work, whose share is what."""

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
"""Does a slot's work under an epoch until the event says to let go; raises Fenced when it is late.

It must not leave anything acknowledged that it has not published.
"""

_log = log.get(__name__)


def share(slots: int, me: str, holdings: Mapping[str, int]) -> int:
    """How many of `slots` are due to `me`; `holdings` counts what each live worker holds.

    Everyone gets floor or ceil of slots / workers. The larger shares go to those who hold most
    already, then by name: so all agree, the shares add up, and nothing moves without need.
    """
    ranks = sorted(holdings, key=lambda worker: (-holdings[worker], worker))
    least, larger = divmod(slots, len(ranks))
    return least + (ranks.index(me) < larger)


class SlotBalancer:
    """One worker among several: it holds its share of the slots, and announces itself.

    Once a period it renews its leases, looks at all others, and then gives up what is more than
    its share or takes what is free and due to it.
    """

    def __init__(self, bus: Bus, leases: Leases, work: Work, period: float) -> None:
        self._bus, self._leases, self._work, self._period = bus, leases, work, period
        self._silence: dict[str, float] = {}
        self._let_go: dict[str, asyncio.Event] = {}
        """Of each slot whose work goes on, the event that ends it."""

    async def run(self, stop: asyncio.Event) -> None:
        """Hold a fair share until `stop`, then release it. Broker restarts are waited out."""
        await self._bus.subscribe(Worker, self._on_worker)
        async with asyncio.TaskGroup() as tasks:
            while not stop.is_set():
                await self._beat(tasks)
                await within(stop, self._period)
            for event in self._let_go.values():
                event.set()
        await self._announce(leaving=True)

    async def _beat(self, tasks: asyncio.TaskGroup) -> None:
        try:
            await self._announce()
            async for slot in self._leases.renew():  # Its work may end by itself at any moment.
                _log.warning("slot lost", slot=slot)
                self._let_go[slot].set()
            self._age(await self._leases.look())
            self._shed()
            await self._take(tasks)
        except NATS_ERRORS as trouble:
            _log.warning("leases cannot be kept", reason=repr(trouble))
            self._leases.doubt()
            self._silence = dict.fromkeys(self._silence, 0.0)

    def _share(self) -> int:
        me = self._leases.holder
        counts = Counter(self._leases.holders().values())
        live = {me, *counts, *self._silence}
        counts[me] = len(self._kept())
        return share(len(self._leases.slots), me, {worker: counts[worker] for worker in live})

    def _kept(self) -> list[str]:
        """Slots that are held and not about to be released."""
        return [slot for slot in self._leases.held if not self._let_go[slot].is_set()]

    def _shed(self) -> None:
        """End the work on what is more than our share; the lease is released when it has ended."""
        for slot in sorted(self._kept())[self._share() :]:
            self._let_go[slot].set()

    async def _take(self, tasks: asyncio.TaskGroup) -> None:
        """Take free slots up to our share; one whose old work is still ending here must wait."""
        for slot in self._leases.free():
            if len(self._kept()) >= self._share():
                return
            if slot in self._let_go:
                continue
            epoch = await self._leases.take(slot)
            if epoch is not None:
                self._let_go[slot] = asyncio.Event()
                tasks.create_task(self._hold(slot, epoch, self._let_go[slot]), name=slot)

    async def _hold(self, slot: str, epoch: int, let_go: asyncio.Event) -> None:
        _log.info("slot taken", slot=slot, epoch=epoch)
        try:
            await self._work(slot, epoch, let_go)
        except Fenced as fenced:
            _log.warning("slot fenced", slot=slot, epoch=epoch, reason=str(fenced))
        finally:
            await self._leases.release(slot)
            del self._let_go[slot]
        _log.info("slot let go", slot=slot, epoch=epoch)

    def _age(self, seconds: float) -> None:
        aged = {worker: silence + seconds for worker, silence in self._silence.items()}
        self._silence = {w: silence for w, silence in aged.items() if silence <= self._leases.ttl}

    async def _on_worker(self, message: Worker) -> None:
        if message.leaving:
            self._silence.pop(message.worker, None)
        elif message.worker != self._leases.holder:
            self._silence[message.worker] = 0.0

    async def _announce(self, *, leaving: bool = False) -> None:
        held = tuple(sorted(self._leases.held))
        await self._bus.publish(Worker(worker=self._leases.holder, slots=held, leaving=leaving))
