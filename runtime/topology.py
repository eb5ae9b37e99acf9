"""The streams and durable consumers, in one table; one command declares them, nobody else does.

`python -m runtime.topology` declares it on the broker at TERCET_BUS_URL; twice is harmless.
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass, field, replace

from nats.js import JetStreamContext
from nats.js.api import (
    AckPolicy,
    ConsumerConfig,
    DeliverPolicy,
    KeyValueConfig,
    RetentionPolicy,
    StreamConfig,
)
from nats.js.errors import NotFoundError
from pydantic import Field

from runtime import log, losses
from runtime.errors import Misconfigured
from runtime.settings import BusSettings
from runtime.trouble import TROUBLE

MEMBERS = 5
"""Members of the ensemble that learns the system model; each has a durable of its own."""

DAY = 86_400.0
MIB = 1024 * 1024


@dataclass(frozen=True)
class Stream:
    """One stream: what it keeps, for how long, and why."""

    name: str
    subjects: tuple[str, ...]
    reason: str
    max_age: float = 7 * DAY
    """Seconds; 0: for ever."""
    max_bytes: int = 256 * MIB
    per_subject: int = -1
    """Messages kept per subject; -1: all."""
    work_queue: bool = False
    duplicates: float = 120.0
    """Seconds in which the same id is stored once."""

    def config(self) -> StreamConfig:
        """Say it in the broker's words."""
        return StreamConfig(
            name=self.name,
            subjects=list(self.subjects),
            description=self.reason,
            max_age=self.max_age,
            max_bytes=self.max_bytes,
            max_msgs_per_subject=self.per_subject,
            retention=RetentionPolicy.WORK_QUEUE if self.work_queue else RetentionPolicy.LIMITS,
            duplicate_window=self.duplicates,
            allow_direct=True,
        )


@dataclass(frozen=True)
class Durable:
    """One consumer that survives its process."""

    name: str
    stream: str
    reason: str
    subjects: tuple[str, ...] = field(default_factory=tuple)
    ack_wait: float = 30.0
    """Seconds after which an unacknowledged message is delivered again."""
    pending: int = 256
    """Unacknowledged messages at most; delivery silently stops there."""

    def config(self) -> ConsumerConfig:
        """Say it in the broker's words."""
        config = ConsumerConfig(
            durable_name=self.name,
            description=self.reason,
            deliver_policy=DeliverPolicy.ALL,
            ack_policy=AckPolicy.EXPLICIT,
            ack_wait=self.ack_wait,
            max_ack_pending=self.pending,
        )
        if self.subjects:
            config.filter_subjects = list(self.subjects)
        return config


REAL, PLANNED = "experience.v1.real", "experience.v1.planned"

STREAMS = {
    stream.name: stream
    for stream in (
        Stream("EXPERIENCE", (REAL,), "real experience: what all learning starts from"),
        Stream(
            "PLANNED",
            (PLANNED,),
            "planned experience: cheap to make again, so kept briefly",
            max_age=DAY / 24,
        ),
        Stream(
            "PLAN",
            ("plan.v1",),
            "planning jobs, one worker each; an old job is worthless",
            max_age=60.0,
            max_bytes=16 * MIB,
            work_queue=True,
            duplicates=60.0,
        ),
        Stream("OUTCOMES", ("outcome.v1.*",), "every measured response time, as accepted"),
        Stream("DECISIONS", ("decision.v1.*",), "every decision, for outsiders to replay"),
        Stream("TELEMETRY", ("telemetry.v1.*",), "each node's last day", max_age=DAY),
        Stream(
            "CAPABILITY",
            ("capability.v1.*",),
            "what each node can do, as it last said",
            max_age=0,
            max_bytes=16 * MIB,
            per_subject=1,
        ),
        Stream(
            "PARAMETERS",
            ("blob.*",),
            "parameter blobs; a version is its sequence, and the last four are kept per owner",
            max_age=0,
            per_subject=4,
        ),
        Stream("DEAD", ("dead.>",), "what could not be processed, with the reason in a header"),
    )
}

DURABLES = {
    durable.name: durable
    for durable in (
        Durable("learner-real", "EXPERIENCE", "direct RL, on what was measured"),
        Durable("learner-planned", "PLANNED", "direct RL, on what was imagined"),
        Durable(
            "planner",
            "PLAN",
            "planning, shared by all world-model workers; a dead one's job is soon done by another",
            ack_wait=5.0,
        ),
        *(
            Durable(
                f"member-{k}",
                "EXPERIENCE",
                f"model learning, member {k} of the ensemble",
                ack_wait=10.0,
            )
            for k in range(MEMBERS)
        ),
    )
}

BUCKETS = {
    "control": "what operators set while it runs: the goal",
    "parameters": "per owner, which parameter blob is current",
    "leases": "per slot (a member of the ensemble), which worker holds it; epochs only grow",
}


def stream_of(subject: str) -> str:
    """Name the stream that keeps `subject` (which may hold `*`); KeyError if none does."""
    for stream in STREAMS.values():
        for pattern in stream.subjects:
            if _covers(pattern.split("."), subject.split(".")):
                return stream.name
    raise KeyError(f"no stream keeps {subject}")


def _covers(pattern: list[str], subject: list[str]) -> bool:
    if pattern[-1] == ">":
        return len(subject) >= len(pattern) and _covers(pattern[:-1], subject[: len(pattern) - 1])
    return len(pattern) == len(subject) and all(
        p in ("*", s) for p, s in zip(pattern, subject, strict=True)
    )


class TopologySettings(BusSettings):
    """What may differ from site to site."""

    replicas: int = Field(1, ge=1, le=5)
    """Copies of each stream, on as many servers of a cluster."""
    streams: dict[str, dict[str, float]] = Field(default_factory=dict)
    """Other limits, as JSON: stream to `max_age` (s), `max_bytes`, `per_subject`, `duplicates`."""


ADJUSTABLE = ("max_age", "max_bytes", "per_subject", "duplicates")


def adjusted(settings: TopologySettings) -> list[StreamConfig]:
    """The table with the site's limits; raises Misconfigured for a stream or limit unknown."""
    for name, limits in settings.streams.items():
        if name not in STREAMS:
            raise Misconfigured(f"TERCET_STREAMS: no stream {name}; one of {', '.join(STREAMS)}")
        if unknown := limits.keys() - set(ADJUSTABLE):
            raise Misconfigured(f"TERCET_STREAMS: {name}: {sorted(unknown)[0]} is not a limit")
    configs = []
    for stream in STREAMS.values():
        limits = settings.streams.get(stream.name, {})
        config = replace(
            stream,
            max_age=limits.get("max_age", stream.max_age),
            max_bytes=int(limits.get("max_bytes", stream.max_bytes)),
            per_subject=int(limits.get("per_subject", stream.per_subject)),
            duplicates=limits.get("duplicates", stream.duplicates),
        ).config()
        config.num_replicas = settings.replicas
        configs.append(config)
    return configs


async def declare(
    js: JetStreamContext, settings: TopologySettings | None = None, *, force: bool = False
) -> list[str]:
    """Create or update all streams, durables and buckets; return what was changed, in words.

    Idempotent. Raises Misconfigured, and changes nothing, when a limit would drop messages that
    are kept now, unless `force`.
    """
    settings = settings or TopologySettings()
    configs = adjusted(settings)
    try:
        await js.account_info()
    except TROUBLE as error:
        raise Misconfigured(f"the broker offers no JetStream: {error}") from error
    if not force:
        for config in configs:
            if loss := await losses.would_lose(js, config):
                raise Misconfigured(f"{loss}; --force to do so all the same")
    changes = [change for config in configs if (change := await _put_stream(js, config))]
    for durable in DURABLES.values():
        await js.add_consumer(durable.stream, durable.config())
    for bucket, reason in BUCKETS.items():
        try:
            await js.key_value(bucket)
        except NotFoundError:
            await js.create_key_value(
                KeyValueConfig(bucket, description=reason, history=5, replicas=settings.replicas)
            )
            changes.append(f"created bucket {bucket}")
    return changes


async def _put_stream(js: JetStreamContext, config: StreamConfig) -> str | None:
    assert config.name is not None, "every stream of the table has a name"
    try:
        present = (await js.stream_info(config.name)).config
    except NotFoundError:
        await js.add_stream(config)
        return f"created stream {config.name}"
    differences = losses.differences(present, config)
    if not differences:
        return None
    await js.update_stream(config)
    return f"changed stream {config.name}: {', '.join(differences)}"


async def main() -> None:
    """Declare the topology on the configured broker."""
    from runtime.bus import connect  # late: bus reads this module's tables
    from runtime.settings import read

    settings = read(TopologySettings)
    async with connect(settings, "topology") as bus:
        for change in await declare(bus.js, settings):
            log.get(__name__).info("declared", change=change)


if __name__ == "__main__":
    log.configure("topology")
    try:
        asyncio.run(main())
    except Misconfigured as error:
        log.get(__name__).error("misconfigured", reason=str(error))
        sys.exit(2)
