"""Read a stream back without a consumer: history after a restart, last message per subject."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from functools import partial

from nats.js.api import RawStreamMsg, StreamInfo
from nats.js.errors import NotFoundError

from tercet.messaging.bus import Bus
from tercet.messaging.parsing import M, parse
from tercet.messaging.topology import stream_of
from tercet.process import log
from tercet.process.errors import Misconfigured, TryLater, Unprocessable
from tercet.process.waiting import within

POLL_PERIOD_S = 0.2
"""Seconds between two polls of `tail` for new messages."""

_log = log.get(__name__)


async def replay(
    bus: Bus,
    kind: type[M],
    *,
    start: int = 1,
    last: int | None = None,
    only: Mapping[str, str] | None = None,
) -> AsyncIterator[tuple[int, M]]:
    """Yield (sequence, message) from `start`, or from the `last` so many sequences, oldest first.

    `only` narrows the subject, e.g. to one device. Messages of the former version are translated.

    Reads by direct get, so it needs neither a consumer nor the permission to create one. What does
    not parse is skipped: it was dead-lettered when it arrived.
    """
    stream = stream_of(kind.pattern())
    state = (await _info(bus, stream)).state
    pattern = kind.readable(**(only or {}))
    read = partial(bus.js.get_msg, stream, subject=pattern, direct=True, next=True)
    sequence = max(start, state.first_seq, state.last_seq - last + 1 if last else 1, 1)
    while sequence <= state.last_seq:
        try:
            raw = await bus.retry(partial(read, sequence))
        except NotFoundError:
            return
        sequence = (raw.seq or sequence) + 1
        message = _parsed(kind, raw)
        if message is not None:
            yield sequence - 1, message


async def first_sequence_since(bus: Bus, stream: str, moment: datetime) -> int:
    """Return the sequence of the first message stored at `moment` or later, by bisection."""
    state = (await _info(bus, stream)).state
    read = partial(bus.js.get_msg, stream, subject=">", direct=True, next=True)
    low, high = max(state.first_seq, 1), state.last_seq + 1
    while low < high:
        middle = (low + high) // 2
        try:
            raw = await bus.retry(partial(read, middle))
        except NotFoundError:
            high = middle
            continue
        if raw.time is not None and raw.time >= moment:
            high = middle
        else:
            low = max(raw.seq or middle, middle) + 1
    return low


async def tail(
    bus: Bus,
    kind: type[M],
    *,
    start: int,
    stop: asyncio.Event,
    only: Mapping[str, str] | None = None,
) -> AsyncIterator[tuple[int, M]]:
    """As `replay`, then yield new messages until `stop`; continues after a broker restart."""
    while not stop.is_set():
        try:
            async for sequence, message in replay(bus, kind, start=start, only=only):
                start = sequence + 1
                yield sequence, message
        except TryLater as error:
            _log.warning("stream not readable", error=repr(error))
        await within(stop, POLL_PERIOD_S)


async def last_per_subject(bus: Bus, kind: type[M], **tokens: str) -> list[M]:
    """Return the last message on each of the kind's subjects, e.g. every node's capability."""
    return [message for _, message in await last_raw_per_subject(bus, kind, **tokens)]


async def last_raw_per_subject(
    bus: Bus, kind: type[M], **tokens: str
) -> list[tuple[RawStreamMsg, M]]:
    """As `last_per_subject`, each with its raw message: sequence, and time of storing."""
    pattern = kind.pattern(**tokens)
    stream = stream_of(kind.pattern())
    info = await _info(bus, stream, pattern)
    messages = []
    for subject in sorted(info.state.subjects or {}):
        raw = await bus.retry(partial(bus.js.get_last_msg, stream, subject, direct=True))
        message = _parsed(kind, raw)
        if message is not None:
            messages.append((raw, message))
    return messages


async def last_on_subject(bus: Bus, kind: type[M], subject: str) -> M | None:
    """Return the last message on one subject, or None; needs the permission for that one only."""
    read = partial(bus.js.get_last_msg, stream_of(subject), subject, direct=True)
    try:
        return _parsed(kind, await bus.retry(read))
    except NotFoundError:
        return None


async def last_message(bus: Bus, kind: type[M]) -> tuple[int, M] | None:
    """Return the newest message of a kind with its sequence, or None.

    Without one of this version, the newest of the former one.
    """
    stream = stream_of(kind.pattern())
    await _info(bus, stream)
    for version in (kind, kind.FORMER):
        if version is None:
            continue
        read = partial(bus.js.get_last_msg, stream, version.pattern(), direct=True)
        with contextlib.suppress(NotFoundError):
            raw = await bus.retry(read)
            message = _parsed(kind, raw)
            return None if message is None else (raw.seq or 0, message)
    return None


async def _info(bus: Bus, stream: str, pattern: str | None = None) -> StreamInfo:
    """Return the broker's info on a stream; raises Misconfigured when it does not exist."""
    try:
        return await bus.retry(partial(bus.js.stream_info, stream, subjects_filter=pattern))
    except NotFoundError as error:
        raise Misconfigured(f"stream {stream} is not declared: tercet topology apply") from error


def _parsed(kind: type[M], raw: RawStreamMsg) -> M | None:
    try:
        return parse(kind, raw.data or b"", raw.subject)
    except Unprocessable as error:
        _log.warning("skipped in replay", sequence=raw.seq, reason=str(error))
        return None
