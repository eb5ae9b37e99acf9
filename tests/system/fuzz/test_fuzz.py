"""Every subject of the contract, fuzzed on a running system: nobody dies, all refusals are kept.

`make fuzz` sends 100,000 messages (TERCET_FUZZ); `make test` two thousand.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import random
import time
from collections import Counter
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
from tests.system.fuzz.strategies import HUGE, NAMES, OWNERS, drawn, spoiled

COUNT = int(os.environ.get("TERCET_FUZZ", "2000"))
POOL = 60 if COUNT < 50_000 else 300
"""Messages that hypothesis draws of each kind; the rest is made from them."""
BURIED = {
    "request.v1", "explain.v1", "round.v1", "outcome.v1", "telemetry.v1", "capability.v1",
    "experience.v1.real", "experience.v1.planned", "plan.v1", "goal.v1", "exploration.v1",
    "policy.v1", "reset.v1",
}  # fmt: skip
"""Kinds that somebody of this system acts on: each refusal of them is buried, with its reason.
The others are overheard by the dashboard, which counts what it cannot read, or are announcements
that are looked up again."""
RARE = {"experience.v1.real", "experience.v1.planned", "plan.v1", "capability.v1", "reset.v1"}
"""Kept by durables that read one by one, or starting all anew: a tenth as many."""
STEP = 200
"""Messages between two flushes."""
PATIENCE = 600.0


class Sent:
    """What was published, by kind, and what of it must be buried."""

    def __init__(self) -> None:
        self.kinds: Counter[str] = Counter()
        self.refused: dict[str, str] = {}
        """Identity of a refusal (as tercet.messaging.bus buries it) to its kind."""
        self.bodies: set[str] = set()

    def add(self, kind: str, subject: str, body: bytes) -> None:
        self.kinds[kind] += 1
        identity = hashlib.sha256(subject.encode() + b"\0" + body).hexdigest()
        self.bodies.add(identity)
        if kind in BURIED and refusal(CATALOGUE[kind], subject, body):
            self.refused[identity] = kind


def refusal(kind: type[Message], subject: str, body: bytes) -> str:
    """Why it is refused; empty when it is not."""
    try:
        parse(kind, body, subject)
    except Unprocessable as error:
        return str(error)
    return ""


def subject_of(kind: str, message: dict[str, Any], chance: random.Random) -> str:
    """Where a message belongs, or one like it."""
    template = CATALOGUE[kind].SUBJECT
    named = {key: str(message.get(key)) for key in ("device", "node", "owner", "worker", "service")}
    ours = {key: value if value in (*NAMES, *OWNERS) else chance.choice(NAMES) for key, value in
            named.items()}  # fmt: skip
    return template.format_map(ours)


@pytest.mark.slow
@pytest.mark.timeout(1800)
async def test_nothing_that_is_said_stops_the_system(capsys: pytest.CaptureFixture[str]) -> None:
    died: list[str] = []
    pools = {kind: drawn(kind, POOL) for kind in CATALOGUE}
    async with (
        running(0, 1, 0.3, lambda name, code, words: died.append(name)) as on,
        connect(BusSettings(bus_url=on.url), "fuzz") as bus,
    ):
        await decided(bus)
        await rounds_go_on(bus)
        began, sent = time.monotonic(), await say_all(bus, pools)
        taken = time.monotonic() - began
        buried = await all_buried(bus, on, sent)
        logs = {name: (on.folder / "logs" / f"{name}.log").read_text() for name in on.names}
        assert died == [], logs[died[0]][-4000:]
        assert await on.ready(on.names, 60), "a service is not ready any more"
        await decided(bus)
        await rounds_go_on(bus)
        assert await unreadable(bus, sent) == []
        assert defects(logs) == []
    with capsys.disabled():
        kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(sent.kinds.items()))
        print(f"\nfuzz: {sent.kinds.total()} messages in {taken:.0f} s: {kinds}")
        turned = len(sent.refused) - buried
        print(f"{len(sent.refused)} refused: {buried} buried with a reason, {turned} requests "
              "turned away unread, counted; no process died")  # fmt: skip


def defects(logs: dict[str, str]) -> list[str]:
    """What our own code tripped over: a message that was valid, and could not be handled."""
    words = ("handler failed", "answer failed", "not told", "not learned")
    return [line[:2000] for text in logs.values() for line in text.splitlines()
            if any(word in line for word in words)]  # fmt: skip


async def say_all(bus: Bus, pools: dict[str, list[dict[str, Any]]]) -> Sent:
    """Publish COUNT messages: as drawn, spoiled, random, huge, and some of them twice."""
    chance, sent = random.Random(COUNT), Sent()
    kinds = [k for k in CATALOGUE for _ in range(1 if k in RARE else 10)]
    before: list[tuple[str, str, bytes]] = []
    for number in range(COUNT):
        kind = chance.choice(kinds)
        if before and chance.random() < 0.05:
            kind, subject, body = chance.choice(before)
        else:
            message = {**chance.choice(pools[kind]), "id": str(uuid4())}
            if kind == "capability.v1":  # Whoever may speak for a real node may also end its use.
                message["node"] = f"fuzz-{chance.randrange(8)}"
            subject = subject_of(kind, message, chance)
            body = (
                spoiled(message, chance) if chance.random() < 0.8 else json.dumps(message).encode()
            )
            if chance.random() < 0.0005:
                body = json.dumps({**message, "x": "x" * HUGE}).encode()
            before = [*before[-50:], (kind, subject, body)]
        sent.add(kind, subject, body)
        await bus.client.publish(subject, body)
        if chance.random() < 0.02:
            noise = chance.randbytes(chance.choice((0, 9, 3000)))
            variant = {"Variant": chance.choice(("d0", "d9", "", "x" * 99))}
            picture = f"inference.v1.{chance.choice(NAMES)}"
            await bus.client.publish(picture, noise, headers=variant)
        if number % STEP == 0:
            await bus.client.flush(timeout=30)
    await bus.client.flush(timeout=30)
    return sent


async def all_buried(bus: Bus, on: System, sent: Sent) -> int:
    """Wait until each refusal is in DEAD with its reason, but for requests that were turned away
    unread because too many came, which are counted; how many are there."""
    deadline = time.monotonic() + PATIENCE
    found, sequence = set[str](), 1
    while True:
        for raw in await read_raw(bus, "DEAD", sequence):
            sequence = (raw.seq or sequence) + 1
            assert (raw.headers or {}).get("Reason"), raw.subject
            subject = (raw.subject or "").removeprefix("dead.")
            identity = hashlib.sha256(subject.encode() + b"\0" + (raw.data or b"")).hexdigest()
            asked = subject.startswith(("request.v1.", "explain.v1."))
            assert identity in sent.refused or not asked, f"nothing is wrong with it: {raw.data!r}"
            found.add(identity)
        missing = Counter(sent.refused[i] for i in sent.refused.keys() - found)
        unread = await asyncio.to_thread(on.counted, "orchestrator", "tercet_turned_away")
        if all(count <= unread.get(kind, 0) for kind, count in missing.items()):
            return len(sent.refused) - missing.total()
        assert time.monotonic() < deadline, (missing, unread)
        await asyncio.sleep(1)


async def unreadable(bus: Bus, sent: Sent) -> list[str]:
    """Messages in streams that cannot be read and are not what the fuzz itself put on the wire."""
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
    """Ask until there is a decision."""
    deadline = time.monotonic() + 120
    while True:
        try:
            await bus.request(Request(device="device-1"), Decision, 5)
            return
        except (NoAnswer, Unprocessable) as error:
            assert time.monotonic() < deadline, error
            await asyncio.sleep(0.2)


async def rounds_go_on(bus: Bus) -> None:
    """Another round closes."""
    heard = asyncio.Event()

    async def on_experience(_: object) -> None:
        heard.set()

    ear = await bus.client.subscribe("experience.v1.real", cb=on_experience)
    await asyncio.wait_for(heard.wait(), 60)
    await ear.unsubscribe()
