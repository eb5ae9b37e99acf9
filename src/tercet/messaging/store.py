"""Small state that outlives its process: parameter blobs with a current pointer, and the goal."""

from __future__ import annotations

import hashlib
from functools import partial
from uuid import uuid4

from nats.js.errors import KeyNotFoundError, KeyWrongLastSequenceError, NotFoundError
from nats.js.kv import KeyValue

from tercet.messaging.bus import Bus
from tercet.messaging.nats_errors import NATS_ERRORS
from tercet.messaging.parsing import M, parse
from tercet.process import log
from tercet.process.errors import Fenced, Gone, Misconfigured, TryLater, Unprocessable
from tercet.schemas import Message
from tercet.schemas.exploration import Exploration
from tercet.schemas.goal import GoalSet
from tercet.schemas.parameters import Parameters
from tercet.schemas.policy import PolicySet
from tercet.schemas.versions import Versions

_log = log.get(__name__)


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
        return cls(bus, await bucket_of(bus, "parameters"))

    async def pointer(self, owner: str) -> Parameters | None:
        """Return what is current for `owner`, without the blob."""
        return (await self._entry(owner))[0]

    async def read(self, pointer: Parameters) -> bytes:
        """Return the blob; raises Gone, or Unprocessable when it is not what was announced."""
        try:
            raw = await self._bus.js.get_msg("PARAMETERS", int(pointer.key), direct=True)
        except NotFoundError as error:
            raise Gone(f"{pointer.owner} {pointer.version} is no longer kept") from error
        except NATS_ERRORS as trouble:
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

        The first version is numbered by the blob's sequence, which goes on over a reset: nothing
        that was learned before one is ever taken for newer than what is learned after it.

        Raises Fenced if a newer epoch owns `owner`, TryLater while the broker is away.
        """
        key = None
        while True:
            current, revision = await self._own(owner, epoch)
            key = key or await self._keep(owner, blob)
            pointer = Parameters(
                owner=owner,
                version=int(key) - 1 if current is None else current.version + 1,
                key=key,
                sha256=hashlib.sha256(blob).hexdigest(),
                epoch=epoch,
                seen=seen,
                learned=learned,
                round=newest_round,
                ids=ids,
                error=error,
            )
            if await self._move(pointer, revision, over=current):
                await self._bus.publish(pointer)
                return pointer

    async def keep(self, blob: bytes) -> str:
        """Keep a version of the policy aside, beyond its successors; the four latest stay.

        Returns its key; raises TryLater while the broker is away.
        """
        return await self._keep("policy-kept", blob)

    async def _keep(self, owner: str, blob: bytes) -> str:
        """Store a blob once, however often an acknowledgement is lost; return its key."""
        identity = {"Nats-Msg-Id": str(uuid4())}
        return str(await self._bus.publish_stored(f"blob.{owner}", blob, identity))

    async def record(self, versions: Versions) -> None:
        """Note what the decider knows of the policy's versions; raises TryLater."""
        try:
            await self._bucket.put("decider", versions.model_dump_json().encode())
        except NATS_ERRORS as trouble:
            raise TryLater(f"versions were not noted: {trouble!r}") from trouble

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
        current, revision = await self._entry(owner)
        if current is not None and current.epoch > epoch:
            raise Fenced(f"{owner} belongs to epoch {current.epoch}, this is {epoch}")
        return current, revision

    async def _move(self, pointer: Parameters, revision: int, *, over: Parameters | None) -> bool:
        """Move the pointer; False when an older epoch was faster once more: look again."""
        owner, body = pointer.owner, pointer.model_dump_json().encode()
        try:
            await self._bucket.update(owner, body, last=revision)
        except KeyWrongLastSequenceError as conflict:
            if pointer.epoch and (over is None or over.epoch < pointer.epoch):
                return False
            raise Fenced(f"{owner} was written by another process") from conflict
        except NATS_ERRORS as trouble:
            raise TryLater(f"{owner} was not published: {trouble!r}") from trouble
        return True

    async def _entry(self, owner: str) -> tuple[Parameters | None, int]:
        """The pointer, None if there is none that can be read, and the revision it has."""
        try:
            entry = await self._bucket.get(owner)
        except KeyNotFoundError:
            return None, 0
        except NATS_ERRORS as trouble:
            raise TryLater(f"{owner} cannot be looked up: {trouble!r}") from trouble
        try:
            return parse(Parameters, entry.value or b""), entry.revision or 0
        except Unprocessable as error:
            _log.error("pointer cannot be read", owner=owner, reason=str(error))
            return None, entry.revision or 0


async def bucket_of(bus: Bus, name: str) -> KeyValue:
    """Bind to a bucket that the topology job made; raises Misconfigured when it is not there."""
    try:
        return await bus.retry(partial(bus.js.key_value, name))
    except NotFoundError as error:
        raise Misconfigured(f"bucket {name} is not declared: tercet topology apply") from error


async def read_goal(bus: Bus) -> GoalSet | None:
    """Return the goal in force, or None before anyone set a valid one."""
    return await _read_control(bus, "goal", GoalSet)


async def write_goal(bus: Bus, goal: GoalSet) -> None:
    """Put the goal in force and announce it."""
    await _write_control(bus, "goal", goal)


async def read_exploration(bus: Bus) -> Exploration | None:
    """Return whether to explore, or None before anyone has said."""
    return await _read_control(bus, "exploration", Exploration)


async def write_exploration(bus: Bus, exploration: Exploration) -> None:
    """Pause exploring or let it go on, and announce it."""
    await _write_control(bus, "exploration", exploration)


async def read_policy(bus: Bus) -> PolicySet | None:
    """Return the last word on which version decides, or None before anyone has said one."""
    return await _read_control(bus, "policy", PolicySet)


async def write_policy(bus: Bus, word: PolicySet) -> None:
    """Say which version decides, and announce it."""
    await _write_control(bus, "policy", word)


async def read_versions(bus: Bus) -> Versions | None:
    """What the decider noted last of the policy's versions."""
    bucket = await bucket_of(bus, "parameters")
    try:
        entry = await bus.retry(partial(bucket.get, "decider"))
        return Versions.model_validate_json(entry.value or b"")
    except KeyNotFoundError:
        return None
    except ValueError as error:
        _log.error("what is known of versions cannot be read", reason=str(error))
        return None


async def _read_control(bus: Bus, key: str, kind: type[M]) -> M | None:
    bucket = await bucket_of(bus, "control")
    try:
        entry = await bus.retry(partial(bucket.get, key))
        return parse(kind, entry.value or b"")
    except KeyNotFoundError:
        return None
    except Unprocessable as error:
        _log.error("a key of the control bucket cannot be read", key=key, reason=str(error))
        return None


async def _write_control(bus: Bus, key: str, message: Message) -> None:
    """The key holds what is in force; the announcement is kept in STEERING, as a record."""
    bucket = await bucket_of(bus, "control")
    await bucket.put(key, message.model_dump_json().encode())
    await bus.publish(message)


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
    # What was pinned is gone.
    await bus.js.purge_stream("KV_control", subject="$KV.control.policy")
    return count
