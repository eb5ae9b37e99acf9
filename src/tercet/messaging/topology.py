"""The streams, durable consumers and buckets in one table, with the reason for each.

`tercet.messaging.declare` creates them on a broker; no other code creates a stream or consumer.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from nats.js.api import (
    AckPolicy,
    ConsumerConfig,
    DeliverPolicy,
    RetentionPolicy,
    StreamConfig,
)

MEMBERS = 5
"""Members of the ensemble of system models; each has a durable consumer of its own."""

DAY = 86_400.0
MIB = 1024 * 1024


@dataclass(frozen=True)
class Stream:
    """One stream: its subjects, its limits, and what it is for."""

    name: str
    subjects: tuple[str, ...]
    reason: str
    max_age: float = 7 * DAY
    """Seconds; 0: without limit."""
    max_bytes: int = 256 * MIB
    per_subject: int = -1
    """Messages kept per subject; -1: all."""
    work_queue: bool = False
    duplicates: float = 120.0
    """Seconds in which the same id is stored once."""

    def config(self) -> StreamConfig:
        """Return the configuration for nats-py."""
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
    """One durable consumer: its position in the stream outlives its process."""

    name: str
    stream: str
    reason: str
    subjects: tuple[str, ...] = field(default_factory=tuple)
    ack_wait: float = 30.0
    """Seconds after which an unacknowledged message is delivered again."""
    pending: int = 256
    """Unacknowledged messages at most; delivery silently stops there."""

    def config(self) -> ConsumerConfig:
        """Return the configuration for nats-py."""
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


CAPTURED = ("OUTCOMES", "TELEMETRY", "CAPABILITY", "DEAD")
"""Streams that an edge with a broker of its own keeps too. The hub sources them, and the leaf link
denies their subjects, so that no message is stored twice (docs/decisions/0014)."""
LIVE = "live."
"""Prefix under which an edge republishes what it captures; the leaf link allows it."""

REAL, FORMER_REAL = "experience.v2.real", "experience.v1.real"
PLANNED = "experience.v1.planned"

STREAMS = {
    stream.name: stream
    for stream in (
        Stream(
            "EXPERIENCE",
            (REAL, FORMER_REAL),
            "real experience: the training data measured; of older versions, too",
        ),
        Stream(
            "PLANNED",
            (PLANNED,),
            "planned experience: cheap to compute again, so kept briefly",
            max_age=DAY / 24,
        ),
        Stream(
            "PLAN",
            ("plan.v1",),
            "planning jobs, one worker each; an old job has no use",
            max_age=60.0,
            max_bytes=16 * MIB,
            work_queue=True,
            duplicates=60.0,
        ),
        Stream(
            "WINDOWS",
            ("window.v1",),
            "the latest window, so that numbers count up over restarts",
            max_age=0,
            max_bytes=MIB,
            per_subject=1,
        ),
        Stream("OUTCOMES", ("outcome.v1.*",), "every measured response time, as accepted"),
        Stream("DECISIONS", ("decision.v1.*",), "every decision, for external clients to replay"),
        Stream("TELEMETRY", ("telemetry.v1.*",), "each node's last day", max_age=DAY),
        Stream(
            "CAPABILITY",
            ("capability.v1.*",),
            "the variants each node can run, latest per node",
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
        Stream(
            "STEERING",
            ("goal.v1", "exploration.v1", "policy.v1", "reset.v1"),
            "record of operator commands",
            max_age=90 * DAY,
            max_bytes=16 * MIB,
        ),
        Stream(
            "DEAD", ("dead.>",), "messages that could not be processed, with the reason in a header"
        ),
    )
}

DURABLES = {
    durable.name: durable
    for durable in (
        Durable("learner-real", "EXPERIENCE", "direct RL, on real experience"),
        Durable("learner-planned", "PLANNED", "direct RL, on planned experience"),
        Durable(
            "planner",
            "PLAN",
            "planning, shared by all world-model workers; jobs of a failed one are redelivered",
            ack_wait=5.0,
        ),
        *(
            Durable(
                f"member-{k}",
                "EXPERIENCE",
                f"model training, member {k} of the ensemble",
                ack_wait=10.0,
            )
            for k in range(MEMBERS)
        ),
    )
}

BUCKETS = {
    "control": "operator settings: the goal, exploration, a pinned version",
    "parameters": "per owner, the current parameter blob; the decider's state of versions",
    "leases": "per slot (a member of the ensemble), the worker that holds it; epochs only grow",
}


def stream_of(subject: str) -> str:
    """Return the stream that stores `subject` (which may hold `*`); KeyError if none does."""
    for stream in STREAMS.values():
        for pattern in stream.subjects:
            if _covers(pattern.split("."), subject.split(".")):
                return stream.name
    raise KeyError(f"no stream stores {subject}")


def captured(subject: str) -> bool:
    """Whether edges capture `subject`, so that other brokers receive it as `live.…`."""
    return any(
        _covers(pattern.split("."), subject.split("."))
        for name in CAPTURED
        for pattern in STREAMS[name].subjects
    )


def _covers(pattern: list[str], subject: list[str]) -> bool:
    if pattern[-1] == ">":
        return len(subject) >= len(pattern) and _covers(pattern[:-1], subject[: len(pattern) - 1])
    return len(pattern) == len(subject) and all(
        p in ("*", s) for p, s in zip(pattern, subject, strict=True)
    )
