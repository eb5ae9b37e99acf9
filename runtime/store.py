"""Small state that outlives its process: parameter blobs with a current pointer, and the goal."""

from __future__ import annotations

import hashlib

from nats.js.errors import KeyNotFoundError, KeyWrongLastSequenceError, NotFoundError
from nats.js.kv import KeyValue

from runtime.bus import TROUBLE, Bus, parse
from runtime.errors import Fenced, TryLater, Unprocessable
from schemas.goal import GoalSet
from schemas.parameters import Parameters


class ParameterStore:
    """Versioned parameters of several owners.

    A blob goes to the PARAMETERS stream, where its sequence is its immutable name; a pointer in
    KV says which one is current and moves by compare-and-set, forward only; a plain subject
    announces it, because KV watches stay silent for seconds after a broker restart.
    """

    def __init__(self, bus: Bus, bucket: KeyValue) -> None:
        self._bus, self._bucket = bus, bucket

    @classmethod
    async def open(cls, bus: Bus) -> ParameterStore:
        """Bind to the bucket that the topology job made."""
        return cls(bus, await bus.js.key_value("parameters"))

    async def pointer(self, owner: str) -> Parameters | None:
        """Return what is current for `owner`, without the blob."""
        entry = await self._entry(owner)
        return None if entry is None else entry[0]

    async def read(self, pointer: Parameters) -> bytes:
        """Return the blob; raises Unprocessable when it is gone or is not what was announced."""
        try:
            raw = await self._bus.js.get_msg("PARAMETERS", int(pointer.key), direct=True)
        except NotFoundError as error:
            raise Unprocessable(f"{pointer.owner} {pointer.version} is no longer kept") from error
        except TROUBLE as trouble:
            raise TryLater(f"{pointer.owner} cannot be read: {trouble!r}") from trouble
        blob = raw.data or b""
        if hashlib.sha256(blob).hexdigest() != pointer.sha256:
            raise Unprocessable(f"{pointer.owner} {pointer.version}: hash differs")
        return blob

    async def publish(
        self,
        owner: str,
        blob: bytes,
        *,
        epoch: int = 0,
        seen: int = 0,
        learned: int = 0,
        error: float | None = None,
    ) -> Parameters:
        """Store the next version and announce it.

        Raises Fenced if a newer epoch owns `owner`, TryLater while the broker is away.
        """
        key = None
        while True:
            current, revision = await self._own(owner, epoch)
            key = key or str(await self._bus.keep(f"blob.{owner}", blob, {}))
            pointer = Parameters(
                owner=owner,
                version=0 if current is None else current.version + 1,
                key=key,
                sha256=hashlib.sha256(blob).hexdigest(),
                epoch=epoch,
                seen=seen,
                learned=learned,
                error=error,
            )
            if await self._move(pointer, revision, over=current):
                await self._bus.publish(pointer)
                return pointer

    async def claim(self, owner: str, epoch: int) -> Parameters | None:
        """Make `epoch` the one that may publish; return what was published before, if anything.

        From here on older epochs are Fenced, even before this one has published. Raises as
        `publish` does.
        """
        while True:
            current, revision = await self._own(owner, epoch)
            if current is None or current.epoch == epoch:
                return current
            claimed = current.model_copy(update={"epoch": epoch})
            if await self._move(claimed, revision, over=current):
                return claimed

    async def _own(self, owner: str, epoch: int) -> tuple[Parameters | None, int]:
        """The pointer and its revision; raises Fenced when it is a newer epoch's."""
        entry = await self._entry(owner)
        if entry is None:
            return None, 0
        if entry[0].epoch > epoch:
            raise Fenced(f"{owner} belongs to epoch {entry[0].epoch}, this is {epoch}")
        return entry

    async def _move(self, pointer: Parameters, revision: int, *, over: Parameters | None) -> bool:
        """Move the pointer; False when an older epoch was faster once more: look again."""
        owner, body = pointer.owner, pointer.model_dump_json().encode()
        try:
            await self._bucket.update(owner, body, last=revision)
        except KeyWrongLastSequenceError as conflict:
            if pointer.epoch and (over is None or over.epoch < pointer.epoch):
                return False
            raise Fenced(f"{owner} was written by another process") from conflict
        except TROUBLE as trouble:
            raise TryLater(f"{owner} was not published: {trouble!r}") from trouble
        return True

    async def _entry(self, owner: str) -> tuple[Parameters, int] | None:
        try:
            entry = await self._bucket.get(owner)
        except KeyNotFoundError:
            return None
        except TROUBLE as trouble:
            raise TryLater(f"{owner} cannot be looked up: {trouble!r}") from trouble
        return parse(Parameters, entry.value or b""), entry.revision or 0


async def read_goal(bus: Bus) -> GoalSet | None:
    """Return the goal in force, or None before anyone set one."""
    bucket = await bus.js.key_value("control")
    try:
        entry = await bucket.get("goal")
    except KeyNotFoundError:
        return None
    return parse(GoalSet, entry.value or b"")


async def write_goal(bus: Bus, goal: GoalSet) -> None:
    """Put the goal in force and announce it."""
    bucket = await bus.js.key_value("control")
    await bucket.put("goal", goal.model_dump_json().encode())
    await bus.publish(goal)
