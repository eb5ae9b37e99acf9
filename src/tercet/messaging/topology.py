"""The streams and durable consumers, in one table: what there is, how long it keeps, and why.

`tercet.messaging.declare` puts it on a broker; nobody else creates a stream or a consumer.
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


CAPTURED = ("OUTCOMES", "TELEMETRY", "CAPABILITY", "DEAD")
"""Streams that an edge with a broker of its own keeps too; the hub sources them, and the leaf link
denies their subjects, so that nothing is stored twice (docs/decisions/0014)."""
LIVE = "live."
"""What an edge has captured is also said once under this prefix, which the link lets pass."""

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
        Stream(
            "STEERING",
            ("goal.v1", "exploration.v1", "policy.v1", "reset.v1"),
            "who changed what, and when",
            max_age=90 * DAY,
            max_bytes=16 * MIB,
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
    "control": "what operators set while it runs: the goal, whether to explore, a pin",
    "parameters": "per owner, which parameter blob is current; what the decider knows of them",
    "leases": "per slot (a member of the ensemble), which worker holds it; epochs only grow",
}


def stream_of(subject: str) -> str:
    """Name the stream that keeps `subject` (which may hold `*`); KeyError if none does."""
    for stream in STREAMS.values():
        for pattern in stream.subjects:
            if _covers(pattern.split("."), subject.split(".")):
                return stream.name
    raise KeyError(f"no stream keeps {subject}")


def captured(subject: str) -> bool:
    """Whether edges keep what is said on `subject`, so that elsewhere it is heard as `live.…`."""
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
