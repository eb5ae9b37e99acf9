"""Slots leased in KV by compare-and-set: each has one holder at most, and none stays orphaned.

A holder renews its lease by writing it again; whoever watches calls it dead when its revision has
not changed for `ttl` seconds of the watcher's own clock, so clocks of hosts are never compared.
The epoch counts changes of holder: what a holder publishes carries it, and an older one is
refused (`tercet.messaging.store`), so a worker that slept through the loss of its lease does no harm.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace

from nats.js.errors import KeyNotFoundError, KeyWrongLastSequenceError
from nats.js.kv import KeyValue

from tercet.messaging.bus import Bus
from tercet.messaging.nats_errors import NATS_ERRORS
from tercet.messaging.store import bucket_of
from tercet.schemas.lease import Lease

BUCKET = "leases"


@dataclass(frozen=True, slots=True)
class Sighting:
    """A slot as it was last read: who holds it, and for how long nothing has changed."""

    lease: Lease = field(default_factory=Lease)
    revision: int = 0
    silence: float = 0.0
    """Seconds, by our own clock, in which the revision could have changed and did not."""


class Leases:
    """All slots as this worker sees them, and those that it holds."""

    def __init__(
        self,
        bucket: KeyValue,
        slots: tuple[str, ...],
        holder: str,
        ttl: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.slots, self.holder, self.ttl = slots, holder, ttl
        self.held: dict[str, Sighting] = {}
        self._bucket, self._clock = bucket, clock
        self._seen = {slot: Sighting() for slot in slots}
        self._looked: float | None = None
        self._writing = asyncio.Lock()

    @classmethod
    async def open(cls, bus: Bus, slots: tuple[str, ...], holder: str, ttl: float) -> Leases:
        """Bind to the bucket that the topology job made."""
        return cls(await bucket_of(bus, BUCKET), slots, holder, ttl)

    async def look(self) -> float:
        """Read every slot; return the seconds that count as silence of whoever did not move.

        However long we were stopped ourselves, that is half a `ttl` at most. Raises NATS_ERRORS.
        """
        now = self._clock()
        since = 0.0 if self._looked is None else min(now - self._looked, self.ttl / 2)
        for slot in self.slots:
            before, after = self._seen[slot], await self._read(slot)
            silent = after.revision == before.revision
            self._seen[slot] = replace(after, silence=before.silence + since if silent else 0.0)
        self._looked = now
        return since

    def doubt(self) -> None:
        """The broker was away: nobody could renew, so silence until now proves nothing."""
        self._looked = None
        self._seen = {slot: replace(seen, silence=0.0) for slot, seen in self._seen.items()}

    def holders(self) -> dict[str, str]:
        """Slot to holder, of the leases that live."""
        alive = {slot: seen.lease.holder for slot, seen in self._seen.items() if self._alive(seen)}
        alive = {slot: holder for slot, holder in alive.items() if holder != self.holder}
        return alive | dict.fromkeys(self.held, self.holder)

    def free(self) -> list[str]:
        """Slots that nobody holds, or whose holder is dead."""
        return [
            slot
            for slot, seen in self._seen.items()
            if slot not in self.held and not self._alive(seen)
        ]

    async def take(self, slot: str) -> int | None:
        """Take a free slot; return its new epoch, or None when another was faster."""
        seen = self._seen[slot]
        lease = Lease(holder=self.holder, epoch=seen.lease.epoch + 1)
        try:
            revision = await self._write(slot, lease, seen.revision)
        except KeyWrongLastSequenceError:
            return None
        self.held[slot] = self._seen[slot] = Sighting(lease, revision)
        return lease.epoch

    async def renew(self) -> AsyncIterator[str]:
        """Renew every lease that is held; yield each slot that turns out to be lost, at once."""
        for slot in list(self.held):
            async with self._writing:
                lost = slot in self.held and not await self._renewed(slot, self.held[slot])
                if lost:
                    del self.held[slot]
            if lost:
                yield slot

    async def release(self, slot: str) -> None:
        """Let go of a slot so that others need not wait; without a broker it simply runs out."""
        async with self._writing:
            held = self.held.pop(slot, None)
            if held is not None:
                with contextlib.suppress(KeyWrongLastSequenceError, *NATS_ERRORS):
                    await self._write(slot, Lease(epoch=held.lease.epoch), held.revision)

    def _alive(self, seen: Sighting) -> bool:
        return bool(seen.lease.holder) and seen.silence <= self.ttl

    async def _renewed(self, slot: str, held: Sighting) -> bool:
        """Write the lease again; a renewal whose answer was lost is recognised as ours."""
        try:
            revision = await self._write(slot, held.lease, held.revision)
        except KeyWrongLastSequenceError:
            found = await self._read(slot)
            if found.lease != held.lease:
                return False
            revision = found.revision
        self.held[slot] = self._seen[slot] = Sighting(held.lease, revision)
        return True

    async def _write(self, slot: str, lease: Lease, last: int) -> int:
        return await self._bucket.update(slot, lease.model_dump_json().encode(), last=last)

    async def _read(self, slot: str) -> Sighting:
        try:
            entry = await self._bucket.get(slot)
        except KeyNotFoundError as missing:
            gone = missing.entry  # A deleted key still has a revision, to compare with.
            return Sighting(revision=(gone.revision or 0) if gone else 0)
        return Sighting(Lease.model_validate_json(entry.value or b"{}"), entry.revision or 0)
