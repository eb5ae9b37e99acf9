"""Fuzz every subject on a running system: no process exits, all refusals are dead letters.

`make fuzz` sends 100,000 messages (TERCET_FUZZ); `make test-all` two thousand.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import random
import time
from collections import Counter
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from benchmarks.chaos.reconciliation import read_raw
from benchmarks.chaos.system import System, running
from tercet.messaging.bus import Bus, connect
from tercet.messaging.parsing import parse
from tercet.messaging.topology import STREAMS
from tercet.process.errors import NoAnswer, Unprocessable
from tercet.process.settings import BusSettings
from tercet.schemas import CATALOGUE, Message
from tercet.schemas.decision import Decision
from tercet.schemas.request import Request
from tests.system.fuzz.strategies import HUGE, NAMES, OWNERS, drawn, mutated

ROOT = Path(__file__).parents[3]
COUNT = int(os.environ.get("TERCET_FUZZ", "2000"))
POOL = 60 if COUNT < 50_000 else 300
"""Messages of each kind that hypothesis draws; all others are mutations of them."""
DEAD_LETTERED = {
    "request.v1", "explain.v1", "round.v1", "outcome.v1", "telemetry.v1", "capability.v1",
    "experience.v1.real", "experience.v2.real", "experience.v1.planned", "plan.v1", "goal.v1",
    "exploration.v1",
    "policy.v1", "reset.v1",
}  # fmt: skip
"""Kinds that a service acts on: each refusal of them is a dead letter with its reason.

The others are only observed by the dashboard, which counts unreadable messages, or are
announcements whose content is read from a store.
"""
RARE = {
    "experience.v1.real",
    "experience.v2.real",
    "experience.v1.planned",
    "plan.v1",
    "capability.v1",
    "reset.v1",
}
"""Kinds that are slow to process, or that reset the system: a tenth as many."""
STEP = 200
"""Messages between two flushes."""
DEAD_LETTER_TIMEOUT_S = 600.0


class Sent:
    """The published messages by kind, and those of them that must be dead letters."""

    def __init__(self) -> None:
        self.kinds: Counter[str] = Counter()
        self.refused: dict[str, str] = {}
        """Identity of each refused message (SHA-256 of subject and body) to its kind."""
        self.bodies: set[str] = set()

    def add(self, kind: str, subject: str, body: bytes) -> None:
        self.kinds[kind] += 1
        identity = hashlib.sha256(subject.encode() + b"\0" + body).hexdigest()
        self.bodies.add(identity)
        if kind in DEAD_LETTERED and refusal(CATALOGUE[kind], subject, body):
            self.refused[identity] = kind


def refusal(kind: type[Message], subject: str, body: bytes) -> str:
    """The reason of a refusal; empty when the message is valid."""
    try:
        parse(kind, body, subject)
    except Unprocessable as error:
        return str(error)
    return ""


def subject_of(kind: str, message: dict[str, Any], rng: random.Random) -> str:
    """The subject of a message, with valid names."""
    template = CATALOGUE[kind].SUBJECT
    named = {key: str(message.get(key)) for key in ("device", "node", "owner", "worker", "service")}
    ours = {key: value if value in (*NAMES, *OWNERS) else rng.choice(NAMES) for key, value in
            named.items()}  # fmt: skip
    return template.format_map(ours)


@pytest.mark.slow
@pytest.mark.timeout(1800)
async def test_no_message_stops_the_system(capsys: pytest.CaptureFixture[str]) -> None:
    exited: list[str] = []
    pools = {kind: drawn(kind, POOL) for kind in CATALOGUE}
    async with (
        running(0, 1, 0.3, lambda name, code, reason: exited.append(name)) as system,
        connect(BusSettings(bus_url=system.url), "fuzz") as bus,
    ):
        await decided(bus)
        await next_round_closes(bus)
        began, sent = time.monotonic(), await publish_all(bus, pools)
        taken = time.monotonic() - began
        dead_letters = await all_dead_lettered(bus, system, sent)
        logs = {name: (system.folder / "logs" / f"{name}.log").read_text() for name in system.names}
        assert exited == [], logs[exited[0]][-4000:]
        assert await system.ready(system.names, 60), "a service is not ready any more"
        await decided(bus)
        await next_round_closes(bus)
        assert await unreadable(bus, sent) == []
        assert defects(logs) == []
    with capsys.disabled():
        kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(sent.kinds.items()))
        print(f"\nfuzz: {sent.kinds.total()} messages in {taken:.0f} s: {kinds}")
        unread = len(sent.refused) - dead_letters
        print(f"{len(sent.refused)} refused: {dead_letters} dead letters with a reason, {unread} "
              "requests rejected unread by the rate limit, counted; no process exited")  # fmt: skip


DEFECTS = (
    "durable handler failed", "subscription handler failed", "answer failed", "call failed",
    "report not published", "experience skipped", "update failed",
)  # fmt: skip
"""Log events of valid messages that could not be handled."""


@pytest.mark.parametrize("event", DEFECTS)
def test_an_event_that_counts_as_a_defect_is_logged_somewhere(event: str) -> None:
    files = [f for room in ("services", "src/tercet") for f in (ROOT / room).rglob("*.py")]
    assert any(f'_log.exception("{event}"' in f.read_text() for f in files)


def defects(logs: dict[str, str]) -> list[str]:
    """Log lines with one of the events of DEFECTS."""
    return [line[:2000] for text in logs.values() for line in text.splitlines()
            if any(event in line for event in DEFECTS)]  # fmt: skip


async def publish_all(bus: Bus, pools: dict[str, list[dict[str, Any]]]) -> Sent:
    """Publish COUNT messages: as drawn, mutated, random, huge, and some of them twice."""
    rng, sent = random.Random(COUNT), Sent()
    kinds = [k for k in CATALOGUE for _ in range(1 if k in RARE else 10)]
    before: list[tuple[str, str, bytes]] = []
    for number in range(COUNT):
        kind = rng.choice(kinds)
        if before and rng.random() < 0.05:
            kind, subject, body = rng.choice(before)
        else:
            message = {**rng.choice(pools[kind]), "id": str(uuid4())}
            if kind == "capability.v1":  # A valid capability of a real node may end its use.
                message["node"] = f"fuzz-{rng.randrange(8)}"
            subject = subject_of(kind, message, rng)
            body = mutated(message, rng) if rng.random() < 0.8 else json.dumps(message).encode()
            if rng.random() < 0.0005:
                body = json.dumps({**message, "x": "x" * HUGE}).encode()
            before = [*before[-50:], (kind, subject, body)]
        sent.add(kind, subject, body)
        await bus.client.publish(subject, body)
        if rng.random() < 0.02:
            noise = rng.randbytes(rng.choice((0, 9, 3000)))
            variant = {"Variant": rng.choice(("d0", "d9", "", "x" * 99))}
            picture = f"inference.v1.{rng.choice(NAMES)}"
            await bus.client.publish(picture, noise, headers=variant)
        if number % STEP == 0:
            await bus.client.flush(timeout=30)
    await bus.client.flush(timeout=30)
    return sent


async def all_dead_lettered(bus: Bus, system: System, sent: Sent) -> int:
    """Wait until each refusal is in DEAD with its reason; the number of dead letters.

    Requests that the rate limit rejects unread are only counted.
    """
    deadline = time.monotonic() + DEAD_LETTER_TIMEOUT_S
    found, sequence = set[str](), 1
    while True:
        for raw in await read_raw(bus, "DEAD", sequence):
            sequence = (raw.seq or sequence) + 1
            assert (raw.headers or {}).get("Reason"), raw.subject
            subject = (raw.subject or "").removeprefix("dead.")
            identity = hashlib.sha256(subject.encode() + b"\0" + (raw.data or b"")).hexdigest()
            asked = subject.startswith(("request.v1.", "explain.v1."))
            assert identity in sent.refused or not asked, f"a valid message: {raw.data!r}"
            found.add(identity)
        missing = Counter(sent.refused[i] for i in sent.refused.keys() - found)
        unread = await asyncio.to_thread(system.counted, "orchestrator", "tercet_turned_away")
        if all(count <= unread.get(kind, 0) for kind, count in missing.items()):
            return len(sent.refused) - missing.total()
        assert time.monotonic() < deadline, (missing, unread)
        await asyncio.sleep(1)


async def unreadable(bus: Bus, sent: Sent) -> list[str]:
    """Unreadable messages in streams that this test did not publish."""
    found = []
    for name in STREAMS:
        if name in ("DEAD", "PARAMETERS"):
            continue
        for raw in await read_raw(bus, name):
            subject, body = raw.subject or "", raw.data or b""
            kind = next(m for k, m in CATALOGUE.items() if f"{subject}.".startswith(f"{k}."))
            identity = hashlib.sha256(subject.encode() + b"\0" + body).hexdigest()
            if identity not in sent.bodies and (reason := refusal(kind, subject, body)):
                found.append(f"{name}: {subject}: {reason}")
    return found


async def decided(bus: Bus) -> None:
    """Request until there is a decision."""
    deadline = time.monotonic() + 120
    while True:
        try:
            await bus.request(Request(device="device-1"), Decision, 5)
            return
        except (NoAnswer, Unprocessable) as error:
            assert time.monotonic() < deadline, error
            await asyncio.sleep(0.2)


async def next_round_closes(bus: Bus) -> None:
    """Wait until another round closes."""
    received = asyncio.Event()

    async def on_experience(_: object) -> None:
        received.set()

    subscription = await bus.client.subscribe("experience.v2.real", cb=on_experience)
    await asyncio.wait_for(received.wait(), 60)
    await subscription.unsubscribe()
