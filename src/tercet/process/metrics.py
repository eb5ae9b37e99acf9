"""The metrics, in one table: what is counted, in which unit, and by whom.

Counting costs about a microsecond, whether or not `/metrics` is served (`tercet.process.health`).
Labels hold only words of ours (kinds, policies, variants that ran, names that were checked), so
nobody outside can make their number grow; and a gauge has at least one, so that a process which
never sets it does not report 0.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from time import perf_counter

from prometheus_client import Counter, Gauge, Histogram

from tercet.schemas.catalogue import CATALOGUE

SECONDS = (0.0001, 0.0005, 0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""Buckets from a look-up's time to a round's time-out."""

# Every service, by the bus itself.
SERVICE = Gauge("tercet_service_info", "Which service this is", ["service", "node"])
READY = Gauge("tercet_ready", "1 while the service is connected and ready")
MESSAGES = Counter("tercet_messages", "Messages, by kind and direction", ["kind", "direction"])
BURIED = Counter("tercet_buried", "Messages that could not be processed", ["kind"])
TURNED_AWAY = Counter("tercet_turned_away", "Requests refused or dropped: overload", ["kind"])
SLOW = Counter("tercet_slow_consumer", "Messages dropped because too many waited", ["kind"])
HANDLING = Histogram("tercet_handler_seconds", "Time in handlers", ["kind"], buckets=SECONDS)
RECONNECTS = Counter("tercet_bus_reconnects", "Times the broker was lost and found again")
LAG = Gauge("tercet_consumer_lag", "Messages a durable has still to be given", ["durable"])

# Orchestrator, deciding.
DECISIONS = Counter("tercet_decisions", "Decisions given", ["policy"])
ROUNDS = Counter("tercet_rounds", "Rounds closed", ["purpose", "policy"])
CENSORED = Counter("tercet_censored", "Outcomes that did not come before the round's time-out")
QUARANTINED = Counter("tercet_quarantined", "Outcomes that must not teach", ["why"])
REFUSED = Counter("tercet_refused", "Beyond a device's rate, or of a stranger", ["what"])
VERSIONS_REFUSED = Counter("tercet_versions_refused", "Worse than the one in force", ["owner"])
ROLLED_BACK = Counter("tercet_versions_rolled_back", "Back to the last good version", ["owner"])
ROUND_RESPONSE = Gauge("tercet_round_response_ms", "Average response, latest round", ["purpose"])
ROUND_ACCURACY = Gauge("tercet_round_accuracy_percent", "Accuracy, latest round", ["purpose"])
DEVICES = Gauge("tercet_active_devices", "Devices in the latest round", ["purpose"])

# Devices.
REQUESTS = Counter("tercet_requests", "Requests, by tier and fallback", ["tier", "fallback"])
SPOOLED = Gauge("tercet_spooled", "Outcomes that wait for the bus")
SPOOL_DROPPED = Counter("tercet_spool_dropped", "Outcomes dropped: too many, or too old")
RESPONSE = Histogram("tercet_response_seconds", "Response time", ["tier"], buckets=SECONDS)

# Inference.
INFERENCES = Counter("tercet_inferences", "Pictures, by what became of them", ["status"])
COMPUTE = Histogram("tercet_compute_seconds", "Decode and run", ["variant"], buckets=SECONDS)
QUEUE = Gauge("tercet_queue_depth", "Requests inside, running or waiting", ["node"])

# Monitor: the node's background, without this run's own load.
CPU = Gauge("tercet_node_cpu_share", "CPU used by others, 0..1", ["node"])
MEMORY = Gauge("tercet_node_memory_share", "Memory in use, 0..1", ["node"])
LINK = Gauge("tercet_node_link_ms", "Round trip to the next tier's broker", ["node"])

# Learner and world-model workers.
LEARNED = Gauge("tercet_learned", "Real experiences in effect", ["owner"])
PLANNED = Counter("tercet_planned_batches", "Planned batches, by what became of them", ["fate"])
VERSION = Gauge("tercet_parameters_version", "Newest version published or taken up", ["owner"])
UPDATE = Histogram("tercet_update_seconds", "Time of one update", ["owner"], buckets=SECONDS)
HELD = Gauge("tercet_members_held", "Members of the system model that a worker holds", ["worker"])


@lru_cache(maxsize=4096)
def kind_of(subject: str) -> str:
    """The type that travels on a subject or template, `other` when it is none of ours."""
    return next((k for k in _LONGEST_FIRST if f"{subject}.".startswith(f"{k}.")), "other")


_LONGEST_FIRST = sorted(CATALOGUE, key=len, reverse=True)


def said(subject: str) -> None:
    """Count one message out."""
    _out(subject).inc()


@contextmanager
def handling(subject: str) -> Iterator[None]:
    """Count one message in, and the time inside."""
    came, took = _in(subject)
    came.inc()
    start = perf_counter()
    try:
        yield
    finally:
        took.observe(perf_counter() - start)


# Finding a counter by its labels costs more than counting: each is found once.


@lru_cache(maxsize=4096)
def _out(subject: str) -> Counter:
    return MESSAGES.labels(kind_of(subject), "out")


@lru_cache(maxsize=4096)
def _in(subject: str) -> tuple[Counter, Histogram]:
    kind = kind_of(subject)
    return MESSAGES.labels(kind, "in"), HANDLING.labels(kind)
