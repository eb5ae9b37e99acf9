"""Slots leased in a KV bucket by compare-and-set: at most one holder each, and none orphaned.

A holder renews its lease by writing it again. An observer considers a lease expired when its
revision has not changed for `ttl` seconds of the observer's own clock, so clocks of hosts are never
compared. The epoch counts changes of holder. A holder's publications carry it, and those with an
older epoch are refused (`tercet.messaging.parameter_store`). A worker that was suspended while it
lost its lease therefore cannot overwrite what the new holder has published.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace

from nats.js.errors import KeyNotFoundError, KeyWrongLastSequenceError
from nats.js.kv import KeyValue
from pydantic import ValidationError

from tercet.messaging.buckets import open_bucket
from tercet.messaging.bus import Bus
from tercet.messaging.nats_errors import NATS_ERRORS
from tercet.messaging.parsing import first_error
from tercet.process import log
from tercet.process.errors import Unprocessable
from tercet.schemas.lease import Lease

BUCKET = "leases"

_log = log.get(__name__)


def parse_lease(body: bytes | None) -> Lease:
    """Parse the value of a slot's key; raises Unprocessable when it is malformed."""
    try:
        return Lease.model_validate_json(body or b"{}")
    except ValidationError as error:
        raise Unprocessable(first_error(error, "value")) from error


@dataclass(frozen=True, slots=True)
class LeaseView:
    """A slot as it was last read: its holder, and for how long it has not changed."""

    lease: Lease = field(default_factory=Lease)
    revision: int = 0
    unchanged_s: float = 0.0
    """Seconds, by our own clock, in which the revision could have changed and did not."""


class Leases:
    """All slots as this worker last read them, and those that it holds."""

    def __init__(
        self,
        bucket: KeyValue,
        slots: tuple[str, ...],
        holder: str,
        ttl: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.slots, self.holder, self.ttl = slots, holder, ttl
        self.held: dict[str, LeaseView] = {}
        self._bucket, self._clock = bucket, clock
        self._seen = {slot: LeaseView() for slot in slots}
        self._refreshed: float | None = None
        self._writing = asyncio.Lock()

    @classmethod
    async def open(cls, bus: Bus, slots: tuple[str, ...], holder: str, ttl: float) -> Leases:
        """Bind to the bucket; raises Misconfigured when it is not declared."""
        return cls(await open_bucket(bus, BUCKET), slots, holder, ttl)

    async def refresh(self) -> float:
        """Read every slot; return the seconds that count as unchanged since the last refresh.

        These are half a `ttl` at most, however long this process was suspended. Raises NATS_ERRORS.
        """
        now = self._clock()
        since = 0.0 if self._refreshed is None else min(now - self._refreshed, self.ttl / 2)
        for slot in self.slots:
            before, after = self._seen[slot], await self._read(slot)
            unchanged = before.unchanged_s + since if after.revision == before.revision else 0.0
            self._seen[slot] = replace(after, unchanged_s=unchanged)
        self._refreshed = now
        return since

    def reset_unchanged(self) -> None:
        """Start counting anew: while the broker was unreachable no holder could renew."""
        self._refreshed = None
        self._seen = {slot: replace(seen, unchanged_s=0.0) for slot, seen in self._seen.items()}

    def holders(self) -> dict[str, str]:
        """Return slot to holder, of the leases that have not expired."""
        valid = {slot: seen.lease.holder for slot, seen in self._seen.items() if self._valid(seen)}
        others = {slot: holder for slot, holder in valid.items() if holder != self.holder}
        return others | dict.fromkeys(self.held, self.holder)

    def free(self) -> list[str]:
        """Return the slots without a holder, or whose lease has expired."""
        return [
            slot
            for slot, seen in self._seen.items()
            if slot not in self.held and not self._valid(seen)
        ]

    async def acquire(self, slot: str) -> int | None:
        """Write our lease of a slot; return its new epoch, None when another worker was faster."""
        seen = self._seen[slot]
        lease = Lease(holder=self.holder, epoch=seen.lease.epoch + 1)
        try:
            revision = await self._write(slot, lease, seen.revision)
        except KeyWrongLastSequenceError:
            return None
        self.held[slot] = self._seen[slot] = LeaseView(lease, revision)
        return lease.epoch

    async def renew(self) -> AsyncIterator[str]:
        """Renew every lease that is held; yield at once each slot that turns out to be lost."""
        for slot in list(self.held):
            async with self._writing:
                lost = slot in self.held and not await self._renewed(slot, self.held[slot])
                if lost:
                    del self.held[slot]
            if lost:
                yield slot

    async def release(self, slot: str) -> None:
        """Release a slot, so that others need not wait; without a broker the lease expires."""
        async with self._writing:
            held = self.held.pop(slot, None)
            if held is not None:
                with contextlib.suppress(KeyWrongLastSequenceError, *NATS_ERRORS):
                    await self._write(slot, Lease(epoch=held.lease.epoch), held.revision)

    def _valid(self, seen: LeaseView) -> bool:
        return bool(seen.lease.holder) and seen.unchanged_s <= self.ttl

    async def _renewed(self, slot: str, held: LeaseView) -> bool:
        """Write the lease again; recognise a renewal of ours whose answer was lost."""
        try:
            revision = await self._write(slot, held.lease, held.revision)
        except KeyWrongLastSequenceError:
            found = await self._read(slot)
            if found.lease != held.lease:
                return False
            revision = found.revision
        self.held[slot] = self._seen[slot] = LeaseView(held.lease, revision)
        return True

    async def _write(self, slot: str, lease: Lease, last: int) -> int:
        return await self._bucket.update(slot, lease.model_dump_json().encode(), last=last)

    async def _read(self, slot: str) -> LeaseView:
        before = self._seen[slot]
        try:
            entry = await self._bucket.get(slot)
        except KeyNotFoundError as missing:
            deleted = missing.entry  # A deleted key still has a revision, to compare with.
            return LeaseView(revision=(deleted.revision or 0) if deleted else 0)
        revision = entry.revision or 0
        try:
            return LeaseView(parse_lease(entry.value), revision)
        except Unprocessable as error:
            if revision != before.revision:
                _log.error("malformed lease treated as free", slot=slot, reason=str(error))
            # Its epoch is unknown, and an epoch never decreases.
            return LeaseView(Lease(epoch=before.lease.epoch), revision)
