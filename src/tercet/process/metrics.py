"""Every metric of the product, in one table, with its unit and the service that sets it.

Counting costs about a microsecond, whether or not `/metrics` is served (`tercet.process.health`).
Label values are kinds, policies, variants that ran, and names that were validated, so a client
cannot make their number grow. A gauge has at least one label, so that a process which never sets
it does not report 0.

Names of metrics and values of labels are stored by whoever collects them, so they are never
renamed. Some are older than the words used elsewhere:

* `tercet_buried`: dead letters.
* `tercet_turned_away`: requests that were refused or dropped because a queue was full.
* `tercet_refused{what="stranger"}`: requests of a node that is unknown, or is no device; `request`
  and `outcome` count messages above a device's rate.
* `tercet_planned_batches{fate="imagined"}`: planned batches that a world-model worker published;
  the trainer used those that are `learned`, and dropped those that are `stale`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from time import perf_counter

from prometheus_client import Counter, Gauge, Histogram

from tercet.schemas.catalogue import CATALOGUE

SECONDS = (0.0001, 0.0005, 0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""Histogram buckets, from the time of a lookup to the time-out of a round."""

# Every service; set by `tercet.messaging`.
SERVICE = Gauge("tercet_service_info", "Which service this is", ["service", "node"])
READY = Gauge("tercet_ready", "1 while the service is connected and ready")
MESSAGES = Counter("tercet_messages", "Messages, by kind and direction", ["kind", "direction"])
DEAD_LETTERED = Counter("tercet_buried", "Messages that could not be processed", ["kind"])
REFUSED_OVERLOADED = Counter(
    "tercet_turned_away", "Requests refused or dropped: overload", ["kind"]
)
SLOW_CONSUMER_DROPS = Counter(
    "tercet_slow_consumer", "Messages dropped because too many were pending", ["kind"]
)
HANDLING = Histogram("tercet_handler_seconds", "Time in handlers", ["kind"], buckets=SECONDS)
RECONNECTS = Counter("tercet_bus_reconnects", "Reconnections to the broker")
LAG = Gauge("tercet_consumer_lag", "Messages not yet delivered to a durable", ["durable"])

# Orchestrator, deciding.
DECISIONS = Counter("tercet_decisions", "Decisions given", ["policy"])
ROUNDS = Counter("tercet_rounds", "Rounds closed", ["purpose", "policy"])
MISSING = Counter("tercet_missing", "Outcomes that did not come while their round was open")
JOINED = Counter(
    "tercet_window_outcomes", "Outcomes of windows, by what became of them", ["result"]
)
IMPOSSIBLE = Counter("tercet_impossible", "Outcomes refused because they are impossible")
REFUSED = Counter(
    "tercet_refused", "Messages above a device's rate, or of an unknown device", ["what"]
)
VERSIONS_REFUSED = Counter(
    "tercet_versions_refused", "Versions worse than the one in force", ["owner"]
)
ROLLED_BACK = Counter(
    "tercet_versions_rolled_back", "Rollbacks to the last good version", ["owner"]
)
ROUND_RESPONSE = Gauge("tercet_round_response_ms", "Average response, latest round", ["purpose"])
ROUND_ACCURACY = Gauge("tercet_round_accuracy_percent", "Accuracy, latest round", ["purpose"])
IN_TIME = Gauge(
    "tercet_round_in_time_share", "Share answered in time, latest round or window", ["purpose"]
)
DEVICES = Gauge("tercet_active_devices", "Devices in the latest round", ["purpose"])

# Gateway.
REQUESTS = Counter("tercet_requests", "Requests, by tier and fallback", ["tier", "fallback"])
ANSWERS = Counter("tercet_answers", "Answers to applications, by status", ["status"])
STALE_PICTURES = Counter("tercet_stale_pictures", "Pictures of a watched folder: too old", ["node"])
SPOOLED = Gauge("tercet_spooled", "Outcomes on disk or in memory, not yet stored by a stream")
SPOOL_DROPPED = Counter("tercet_spool_dropped", "Outcomes dropped: too many, or too old")
RESPONSE = Histogram("tercet_response_seconds", "Response time", ["tier"], buckets=SECONDS)

# Inference.
INFERENCES = Counter("tercet_inferences", "Pictures, by result", ["status"])
COMPUTE = Histogram("tercet_compute_seconds", "Decode and run", ["variant"], buckets=SECONDS)
QUEUE = Gauge("tercet_queue_depth", "Requests running or waiting", ["node"])

# Monitor: the node's background load, without that of Tercet's own services.
CPU = Gauge("tercet_node_cpu_share", "CPU used by others, 0..1", ["node"])
MEMORY = Gauge("tercet_node_memory_share", "Memory in use, 0..1", ["node"])
LINK = Gauge("tercet_node_link_ms", "Round trip to the next tier's broker", ["node"])

# Trainer and world-model workers.
EXPERIENCES_IN_EFFECT = Gauge("tercet_learned", "Real experiences in effect", ["owner"])
PLANNED = Counter("tercet_planned_batches", "Planned batches, by result", ["fate"])
VERSION = Gauge("tercet_parameters_version", "Newest version published or loaded", ["owner"])
UPDATE = Histogram("tercet_update_seconds", "Time of one update", ["owner"], buckets=SECONDS)
MEMBERS_HELD = Gauge("tercet_members_held", "Ensemble members leased by a worker", ["worker"])


@lru_cache(maxsize=4096)
def kind_of(subject: str) -> str:
    """Return the message type of a subject or subject template; `other` when it is unknown."""
    return next((k for k in _LONGEST_FIRST if f"{subject}.".startswith(f"{k}.")), "other")


_LONGEST_FIRST = sorted(CATALOGUE, key=len, reverse=True)


def count_published(subject: str) -> None:
    """Count one outgoing message."""
    _out(subject).inc()


@contextmanager
def handling(subject: str) -> Iterator[None]:
    """Count one incoming message, and measure the time inside the block."""
    received, duration = _in(subject)
    received.inc()
    start = perf_counter()
    try:
        yield
    finally:
        duration.observe(perf_counter() - start)


# Looking up a counter by its labels costs more than counting, so the result is cached.


@lru_cache(maxsize=4096)
def _out(subject: str) -> Counter:
    return MESSAGES.labels(kind_of(subject), "out")


@lru_cache(maxsize=4096)
def _in(subject: str) -> tuple[Counter, Histogram]:
    kind = kind_of(subject)
    return MESSAGES.labels(kind, "in"), HANDLING.labels(kind)
