"""Versioned model parameters that outlive their process, and the state of the policy's versions."""

from __future__ import annotations

import hashlib
from functools import partial
from uuid import uuid4

from nats.js.errors import KeyNotFoundError, KeyWrongLastSequenceError, NotFoundError
from nats.js.kv import KeyValue

from tercet.messaging.buckets import open_bucket
from tercet.messaging.bus import Bus
from tercet.messaging.nats_errors import NATS_ERRORS
from tercet.messaging.parsing import parse
from tercet.process import log
from tercet.process.errors import Fenced, Gone, TryLater, Unprocessable
from tercet.schemas.parameters import Parameters
from tercet.schemas.versions import Versions

VALUES = "values"
"""Owner of what states are worth. Any planner publishes them, with the window of its job as epoch,
so that those of an older window never replace those of a newer one."""

_log = log.get(__name__)


class ParameterStore:
    """Versioned parameters of several owners.

    A blob is stored in the stream PARAMETERS; its sequence number is its immutable key. A pointer
    in the KV bucket `parameters` names the current version of an owner. It changes by
    compare-and-set, and only to a newer version. Each change is announced on a plain subject,
    because KV watches deliver nothing for seconds after a broker restart.
    """

    def __init__(self, bus: Bus, bucket: KeyValue) -> None:
        self._bus, self._bucket = bus, bucket

    @classmethod
    async def open(cls, bus: Bus) -> ParameterStore:
        """Bind to the bucket; raises Misconfigured when it is not declared."""
        return cls(bus, await open_bucket(bus, "parameters"))

    async def pointer(self, owner: str) -> Parameters | None:
        """Return the pointer to the current version of `owner`, without the blob."""
        return (await self._entry(owner))[0]

    async def read(self, pointer: Parameters) -> bytes:
        """Return the blob; raises Gone, TryLater, or Unprocessable when its hash differs."""
        try:
            raw = await self._bus.js.get_msg("PARAMETERS", int(pointer.key), direct=True)
        except NotFoundError as error:
            raise Gone(f"{pointer.owner} {pointer.version} is no longer kept") from error
        except NATS_ERRORS as error:
            raise TryLater(f"{pointer.owner} cannot be read: {error!r}") from error
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
        since: int = 0,
        error: float | None = None,
    ) -> Parameters:
        """Store the next version and announce it.

        The first version is numbered by the blob's sequence, which continues over a reset, so
        parameters from before a reset are never taken for newer than those after it.

        Raises Fenced if a newer epoch owns `owner`, TryLater while the broker is unreachable.
        """
        key = None
        while True:
            current, revision = await self._checked_entry(owner, epoch)
            key = key or await self._store_blob(owner, blob)
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
                since=since,
                error=error,
            )
            if await self._replace(pointer, revision, current):
                await self._bus.publish(pointer)
                return pointer

    async def keep(self, blob: bytes) -> str:
        """Store a version of the policy outside the succession of versions; return its key.

        The four latest of these are kept. Raises TryLater while the broker is unreachable.
        """
        return await self._store_blob("policy-kept", blob)

    async def _store_blob(self, owner: str, blob: bytes) -> str:
        """Store a blob once, even if an acknowledgement is lost; return its key."""
        identity = {"Nats-Msg-Id": str(uuid4())}
        return str(await self._bus.publish_stored(f"blob.{owner}", blob, identity))

    async def record(self, versions: Versions) -> None:
        """Store the decider's state of the policy's versions; raises TryLater."""
        try:
            await self._bucket.put("decider", versions.model_dump_json().encode())
        except NATS_ERRORS as error:
            raise TryLater(f"the state of versions was not stored: {error!r}") from error

    async def claim_epoch(self, owner: str, epoch: int) -> Parameters | None:
        """Make `epoch` the only one that may publish; return the current pointer, if any.

        Older epochs are Fenced from here on, even before this one has published. Raises as
        `publish` does.
        """
        while True:
            current, revision = await self._checked_entry(owner, epoch)
            if current is None or current.epoch == epoch:
                return current
            claimed = current.model_copy(update={"epoch": epoch})
            if await self._replace(claimed, revision, current):
                return claimed

    async def _checked_entry(self, owner: str, epoch: int) -> tuple[Parameters | None, int]:
        """Return the pointer and its revision; raises Fenced when it has a newer epoch."""
        current, revision = await self._entry(owner)
        if current is not None and current.epoch > epoch:
            raise Fenced(f"{owner} belongs to epoch {current.epoch}, this is {epoch}")
        return current, revision

    async def _replace(
        self, pointer: Parameters, revision: int, previous: Parameters | None
    ) -> bool:
        """Write the pointer; False when an older epoch has written meanwhile: read again."""
        owner, body = pointer.owner, pointer.model_dump_json().encode()
        try:
            await self._bucket.update(owner, body, last=revision)
        except KeyWrongLastSequenceError as conflict:
            if pointer.epoch and (previous is None or previous.epoch < pointer.epoch):
                return False
            raise Fenced(f"{owner} was written by another process") from conflict
        except NATS_ERRORS as error:
            raise TryLater(f"{owner} was not published: {error!r}") from error
        return True

    async def _entry(self, owner: str) -> tuple[Parameters | None, int]:
        """Return the pointer, None if there is none that can be read, and the key's revision."""
        try:
            entry = await self._bucket.get(owner)
        except KeyNotFoundError:
            return None, 0
        except NATS_ERRORS as error:
            raise TryLater(f"{owner} cannot be read: {error!r}") from error
        try:
            return parse(Parameters, entry.value or b""), entry.revision or 0
        except Unprocessable as error:
            _log.error("parameter pointer unreadable", owner=owner, reason=str(error))
            return None, entry.revision or 0


async def read_versions(bus: Bus) -> Versions | None:
    """Return the decider's state of the policy's versions; None if there is none to be read."""
    bucket = await open_bucket(bus, "parameters")
    try:
        entry = await bus.retry(partial(bucket.get, "decider"))
        return Versions.model_validate_json(entry.value or b"")
    except KeyNotFoundError:
        return None
    except ValueError as error:
        _log.error("state of versions unreadable", reason=str(error))
        return None
