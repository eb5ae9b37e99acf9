"""One held slot: read back its member's experience, train on each new round, publish, release.

A message of the durable only signals that there is something new. All that is new is then read
from the stream in its order, taken in, published once, and only then acknowledged. So waiting
rounds share one update, and no redelivery changes the order. What was acknowledged is in effect
with a successor that reads the stream back, too.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable

from tercet.experience.history import Entry, History
from tercet.messaging.bus import Bus
from tercet.messaging.durable import consume
from tercet.messaging.parameter_store import ParameterStore
from tercet.messaging.recent_ids import RecentIds
from tercet.process import log, metrics
from tercet.process.errors import TryLater, Unprocessable
from tercet.process.waiting import within
from tercet.schemas.experience_v2 import Experience
from tercet.schemas.learning import Learning
from tercet.services.world_model.agents import TrainedMember

REFUSED = 1000
"""Ids remembered, of experiences that could not be learned from."""

_log = log.get(__name__)


class Slot:
    """Connects one member to the bus, under the epoch of its lease."""

    def __init__(
        self,
        bus: Bus,
        store: ParameterStore,
        history: History,
        create: Callable[[], TrainedMember],
        epoch: int,
    ) -> None:
        self._bus, self._store, self._history = bus, store, history
        self._create, self._epoch = create, epoch
        self._member = create()
        self._owner = f"member-{self._member.slot}"
        self._reset = False
        self._seen = 0
        self._published = 0
        """Experiences taken in by the member when it published last."""
        self._current = ("", "")
        """Hash of what was published, by this holder or one before, and of the ids in effect."""
        self._version: int | None = None
        self._refused = RecentIds(REFUSED)

    async def hold(self, release: asyncio.Event) -> None:
        """Hold it until `release`; raises Fenced when a newer epoch holds it."""
        while not (release.is_set() or await self._started(release)):
            continue
        if not release.is_set():
            await consume(self._bus, Experience, self.on_real, durable=self._owner, stop=release)

    async def on_real(self, experience: Experience) -> None:
        """A round was measured; acknowledged when it is in effect in what is published."""
        new = self._member.is_new(experience) and experience.id not in self._refused
        if self._reset or self._unpublished or new:
            await self.catch_up(asyncio.Event())
        reason = self._refused.get(experience.id)
        if reason is not None:
            raise Unprocessable(reason)

    def reset(self) -> None:
        """Start again with the next experience; call it when the stream has been emptied."""
        self._reset = True

    def status(self, holder: str) -> Learning:
        """The periodic report."""
        member = self._member
        return Learning(
            owner=self._owner,
            role="member",
            round=member.round,
            version=self._version,
            real=member.learned,
            buffers={"world": member.label_count},
            error=member.prediction_error.error,
            holder=holder,
        )

    async def claim(self) -> None:
        """Fence older epochs from now on; raises Fenced when ours is the older one."""
        before = await self._store.claim_epoch(self._owner, self._epoch)
        if before is not None:
            self._current, self._version = (before.sha256, before.ids), before.version

    async def catch_up(self, release: asyncio.Event) -> None:
        """Take in all that is new in the stream, update once, publish; raises Fenced, TryLater.

        After a reset meanwhile, nothing is published, and it starts again.
        """
        while not await self._caught_up(release):
            self._reset, self._member = False, self._create()
            self._seen, self._published, self._current = 0, 0, ("", "")

    async def _caught_up(self, release: asyncio.Event) -> bool:
        """False after a reset: then it must start again."""
        if self._reset:
            return False
        async for entries in self._history.since(self._seen):
            if release.is_set():
                return True
            await asyncio.to_thread(self._take_in, entries)
        if self._unpublished and not self._reset:
            with metrics.UPDATE.labels(self._owner).time():
                blob = await asyncio.to_thread(self._member.update)
            if blob is not None and not self._reset:
                await self._publish(blob, self._member)
        return not self._reset

    @property
    def _unpublished(self) -> bool:
        return self._member.observed > self._published

    async def _started(self, release: asyncio.Event) -> bool:
        """Claim the slot and read back; False, after a pause, when the broker was away."""
        try:
            await self.claim()
            await self.catch_up(release)
        except TryLater as error:
            _log.warning("slot start postponed", slot=self._owner, reason=str(error))
            await within(release, error.delay)
            return False
        _log.info(
            "training state restored",
            slot=self._owner,
            learned=self._member.learned,
            seen=self._seen,
        )
        return True

    def _take_in(self, entries: list[Entry]) -> None:
        for sequence, experience in entries:
            try:
                self._member.real(experience, sequence)
            except Exception as error:
                # Raised, it would be raised again in every successor, which reads it back.
                _log.exception("experience skipped", slot=self._owner, sequence=sequence)
                self._refused.add(experience.id, repr(error))
            self._seen = sequence

    async def _publish(self, blob: bytes, member: TrainedMember) -> None:
        """Publish, unless a predecessor has published exactly this."""
        current = hashlib.sha256(blob).hexdigest(), str(member.digest)
        if current != self._current:
            pointer = await self._store.publish(
                self._owner,
                blob,
                epoch=self._epoch,
                seen=self._seen,
                learned=member.learned,
                newest_round=member.round,
                ids=current[1],
                since=member.since,
            )
            self._current = current
            self._version = pointer.version
            metrics.VERSION.labels(self._owner).set(pointer.version)
        self._published = member.observed
        metrics.EXPERIENCES_IN_EFFECT.labels(self._owner).set(member.learned)
