"""One held slot: recall what its member had seen, learn from each new round, publish, let go.

The durable rings, the stream tells: whatever message comes, all that is new is read from the
stream in its order, taken in, published once, and only then acknowledged. So waiting rounds share
one update, no redelivery changes the order, and what was acknowledged is what a successor that
reads the stream back has in effect too.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable

from tercet.experience.history import Entry, History
from tercet.messaging.bus import Bus
from tercet.messaging.durable import consume
from tercet.messaging.parameter_store import ParameterStore
from tercet.messaging.recent import RecentIds
from tercet.process import log, metrics
from tercet.process.errors import TryLater, Unprocessable
from tercet.process.waiting import within
from tercet.schemas.experience import Experience
from tercet.schemas.learning import Learning
from tercet.services.world_model.member import Member

REFUSED = 1000
"""Ids remembered of experiences that could not be learned from."""

_log = log.get(__name__)


class Slot:
    """Wires one member to the bus, under the epoch of its lease."""

    def __init__(
        self,
        bus: Bus,
        store: ParameterStore,
        history: History,
        newborn: Callable[[], Member],
        epoch: int,
    ) -> None:
        self._bus, self._store, self._history = bus, store, history
        self._newborn, self._epoch = newborn, epoch
        self._member = newborn()
        self._owner = f"member-{self._member.slot}"
        self._forgotten = False
        self._seen = 0
        self._published = 0
        """Experiences that are in effect in what was published."""
        self._current = ""
        """Hash of what was published, by this holder or one before."""
        self._version: int | None = None
        self._refused = RecentIds(REFUSED)

    async def hold(self, let_go: asyncio.Event) -> None:
        """Hold it until `let_go`; raises Fenced when a newer epoch holds it."""
        while not (let_go.is_set() or await self._began(let_go)):
            continue
        if not let_go.is_set():
            await consume(self._bus, Experience, self.on_real, durable=self._owner, stop=let_go)

    async def on_real(self, experience: Experience) -> None:
        """A round was measured; acknowledged when it is in effect in what is published."""
        known = self._member.knows(experience) or experience.id in self._refused
        if self._forgotten or self._owing or not known:
            await self.catch_up(asyncio.Event())
        reason = self._refused.get(experience.id)
        if reason is not None:
            raise Unprocessable(reason)

    def forget(self) -> None:
        """Start from nothing with what comes next; call it when the stream has been emptied."""
        self._forgotten = True

    def said(self, holder: str) -> Learning:
        """How learning goes."""
        member = self._member
        return Learning(
            owner=self._owner,
            role="member",
            round=member.round,
            version=self._version,
            real=member.learned,
            buffers={"world": member.believed},
            error=member.foresight.error,
            holder=holder,
        )

    async def claim(self) -> None:
        """From now on older epochs are fenced; raises Fenced when ours is the older one."""
        before = await self._store.claim_epoch(self._owner, self._epoch)
        if before is not None:
            self._current, self._version = before.sha256, before.version

    async def catch_up(self, let_go: asyncio.Event) -> None:
        """Take in all that is new in the stream, update once, publish; raises Fenced, TryLater.

        A reset on the way ends it with nothing said, and it begins anew.
        """
        while not await self._caught_up(let_go):
            self._forgotten, self._member = False, self._newborn()
            self._seen, self._published, self._current = 0, 0, ""

    async def _caught_up(self, let_go: asyncio.Event) -> bool:
        """False when all is to be forgotten."""
        if self._forgotten:
            return False
        async for entries in self._history.since(self._seen):
            if let_go.is_set():
                return True
            await asyncio.to_thread(self._take_in, entries)
        if self._owing and not self._forgotten:
            with metrics.UPDATE.labels(self._owner).time():
                blob = await asyncio.to_thread(self._member.improve)
            if blob is not None and not self._forgotten:
                await self._publish(blob, self._member)
        return not self._forgotten

    @property
    def _owing(self) -> bool:
        return self._member.learned > self._published

    async def _began(self, let_go: asyncio.Event) -> bool:
        """Claim and recall; False when the broker was away, after a pause."""
        try:
            await self.claim()
            await self.catch_up(let_go)
        except TryLater as error:
            _log.warning("slot cannot begin", slot=self._owner, reason=str(error))
            await within(let_go, error.delay)
            return False
        _log.info("recalled", slot=self._owner, learned=self._member.learned, seen=self._seen)
        return True

    def _take_in(self, entries: list[Entry]) -> None:
        for sequence, experience in entries:
            try:
                self._member.real(experience)
            except Exception as error:
                # Were it raised, every successor would read it back and trip over it again.
                _log.exception("not learned from", slot=self._owner, sequence=sequence)
                self._refused.add(experience.id, repr(error))
            self._seen = sequence

    async def _publish(self, blob: bytes, member: Member) -> None:
        """Publish, unless a predecessor had said exactly this."""
        digest = hashlib.sha256(blob).hexdigest()
        if digest != self._current:
            pointer = await self._store.publish(
                self._owner,
                blob,
                epoch=self._epoch,
                seen=self._seen,
                learned=member.learned,
                newest_round=member.round,
                ids=str(member.tally),
            )
            self._current = digest
            self._version = pointer.version
            metrics.VERSION.labels(self._owner).set(pointer.version)
        self._published = member.learned
        metrics.EXPERIENCES_IN_EFFECT.labels(self._owner).set(member.learned)
