"""What a changed stream limit would delete: a smaller stream deletes messages at once."""

from __future__ import annotations

from datetime import UTC, datetime

from nats.js import JetStreamContext
from nats.js.api import StreamConfig, StreamInfo
from nats.js.errors import NotFoundError

COMPARED = (
    "subjects",
    "max_age",
    "max_bytes",
    "max_msgs_per_subject",
    "duplicate_window",
    "num_replicas",
    "description",
    "republish",
)


def differences(present: StreamConfig, wanted: StreamConfig) -> list[str]:
    """Return each setting that differs, with both values."""
    changed = [
        f"{name} {old!r} -> {new!r}"
        for name in COMPARED
        if (old := getattr(present, name)) != (new := getattr(wanted, name))
    ]
    if (old := _sources(present)) != (new := _sources(wanted)):
        changed.append(f"sources {old!r} -> {new!r}")
    return changed


def _sources(config: StreamConfig) -> list[str]:
    """Return the JetStream domains that a stream sources from."""
    return sorted(s.external.api for s in config.sources or () if s.external)


async def describe_loss(js: JetStreamContext, wanted: StreamConfig) -> str | None:
    """Describe what `wanted` would delete from the stream; None if nothing."""
    name = wanted.name or ""
    try:
        info = await js.stream_info(name, subjects_filter=">")
    except NotFoundError:
        return None
    if info.state.messages == 0:
        return None
    limit = wanted.max_bytes or -1
    if 0 < limit < info.state.bytes:
        return f"stream {name} holds {info.state.bytes} bytes, max_bytes would be {limit}"
    kept = wanted.max_msgs_per_subject or -1
    most = max((info.state.subjects or {"": 0}).values())
    if 0 < kept < most:
        return f"stream {name} holds {most} messages of one subject, {kept} would be kept"
    return await _too_old(js, info, wanted)


async def _too_old(js: JetStreamContext, info: StreamInfo, wanted: StreamConfig) -> str | None:
    name, limit = wanted.name or "", wanted.max_age or 0
    if not limit or limit >= (info.config.max_age or float("inf")):
        return None
    oldest = await js.get_msg(name, info.state.first_seq, direct=True, next=True, subject=">")
    if oldest.time is None:
        return None
    age = (datetime.now(UTC) - oldest.time).total_seconds()
    if age <= limit:
        return None
    return f"stream {name} holds messages {age:.0f} s old, max_age would be {limit:.0f} s"
