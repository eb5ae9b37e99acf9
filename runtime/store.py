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
        newest_round: int = 0,
        ids: str = "",
        error: float | None = None,
    ) -> Parameters:
        """Store the next version and announce it.

        Raises Fenced if a newer epoch owns `owner`, TryLater while the broker is away.
        """
        entry = await self._entry(owner)
        current, revision = entry if entry else (None, 0)
        if current is not None and current.epoch > epoch:
            raise Fenced(f"{owner} belongs to epoch {current.epoch}, this is {epoch}")
        digest = hashlib.sha256(blob).hexdigest()
        pointer = Parameters(
            owner=owner,
            version=0 if current is None else current.version + 1,
            key=str(await self._bus.keep(f"blob.{owner}", blob, {})),
            sha256=digest,
            epoch=epoch,
            seen=seen,
            learned=learned,
            round=newest_round,
            ids=ids,
            error=error,
        )
        try:
            await self._bucket.update(owner, pointer.model_dump_json().encode(), last=revision)
        except KeyWrongLastSequenceError as conflict:
            raise Fenced(f"{owner} was written by another process") from conflict
        except TROUBLE as trouble:
            raise TryLater(f"{owner} was not published: {trouble!r}") from trouble
        await self._bus.publish(pointer)
        return pointer

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


LEARNED = ("EXPERIENCE", "PLANNED", "PLAN", "PARAMETERS")
"""Streams that hold what was learned, and what it was learned from."""


async def forget(bus: Bus) -> int:
    """Empty all that was learned, pointers included; return how many messages that were.

    The sequence numbers of the streams go on, so nothing new is mistaken for something old.
    """
    count = 0
    for name in LEARNED:
        count += (await bus.js.stream_info(name)).state.messages
        await bus.js.purge_stream(name)
    # The bucket's stream rather than its keys: a deleted key would leave a marker behind.
    await bus.js.purge_stream("KV_parameters")
    return count
