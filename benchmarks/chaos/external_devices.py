"""Independent devices in plain JSON: they request, run and report, and record every reply.

They share no code of the system's accounting. Their ids, the record of what a stream acknowledged
and the time of each request are their own.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import time
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from tercet.messaging.bus import Bus
from tercet.messaging.nats_errors import NATS_ERRORS
from tercet.models.images import load_pictures
from tercet.process.waiting import first_of, within

DECISION_TIMEOUT_S = 0.5
"""Timeout for a decision, as in the gateway."""
INFERENCE_TIMEOUT_S = 2.0
"""Timeout for an inference."""
TOLERANCE_S = 1.0
"""Further seconds that a request may take: a busy host, and the run on the device itself."""
LOCAL_MS = {"d0": 105.0, "d1": 64.0, "d2": 32.0, "d3": 15.0, "d4": 63.0, "d5": 48.0, "d6": 33.0,
            "d7": 25.0}  # fmt: skip
ACCURACY = {"d0": 89.9, "d1": 88.2, "d2": 84.9, "d3": 74.2, "d4": 88.9, "d5": 87.0, "d6": 83.2,
            "d7": 72.8}  # fmt: skip
REPEATED = 0.1
"""Share of the acknowledged outcomes that are published again on purpose."""


@dataclass
class ClientRecord:
    """The acknowledged outcomes, and the results of the requests."""

    acknowledged: dict[str, float] = field(default_factory=dict)
    """Id of each acknowledged outcome, to its response time in ms."""
    rounds: dict[tuple[str, str], float] = field(default_factory=dict)
    """Device and round to the acknowledged response time in ms."""
    unacknowledged: int = 0
    requests: int = 0
    answered: int = 0
    fallbacks: int = 0
    late: int = 0
    """Requests that took longer than their limit."""
    slowest: float = 0.0
    repeated: int = 0

    def ended(self, seconds: float, bound: float, *, answered: bool) -> None:
        """Count one request; `bound` is its limit in seconds."""
        self.requests += 1
        self.answered += answered
        self.fallbacks += not answered
        self.slowest = max(self.slowest, seconds)
        self.late += seconds > bound


class ExternalDevice:
    """One independent device."""

    def __init__(self, bus: Bus, name: str, record: ClientRecord, seed: int) -> None:
        self._bus, self.name, self._record = bus, name, record
        self._rng = random.Random(f"{seed}/{name}")
        self._picture = load_pictures().pictures[0].jpeg
        self._rounds: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._waiting: deque[dict[str, Any]] = deque()
        self._ready = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> None:
        """Publish the capability, then take part in every round until `stop`."""

        async def on_round(raw: Any) -> None:
            opened = json.loads(raw.data)
            if self.name in opened["devices"]:
                self._rounds.put_nowait(opened)

        await self._bus.client.subscribe("round.v1", cb=on_round)
        capability: dict[str, Any] = {"node": self.name, "tier": "device", "home": "edge-1"}
        capability |= {"accuracy_pct": ACCURACY, "profile_ms": LOCAL_MS, "weights": "simulated"}
        await self._store(f"capability.v1.{self.name}", {"id": str(uuid4()), **capability})
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._publish_telemetry(stop))
            tasks.create_task(self._deliver(stop))
            while not stop.is_set():
                taking = asyncio.ensure_future(self._rounds.get())
                stopping = asyncio.ensure_future(stop.wait())
                await asyncio.wait({taking, stopping}, return_when=asyncio.FIRST_COMPLETED)
                stopping.cancel()
                if taking.done():
                    await self._serve_round(taking.result())
                taking.cancel()

    async def _publish_telemetry(self, stop: asyncio.Event) -> None:
        subject, condition = f"telemetry.v1.{self.name}", {"cpu": 0.1, "memory": 0.2}
        while not stop.is_set():
            body = {"id": str(uuid4()), "at": _now(), "node": self.name, "condition": condition}
            with contextlib.suppress(*NATS_ERRORS):
                await self._bus.client.publish(subject, json.dumps(body).encode())
            await within(stop, 1.0)

    async def _serve_round(self, opened: dict[str, Any]) -> None:
        """One request, from the decision to the outcome."""
        request = {"id": str(uuid4()), "at": _now(), "device": self.name}
        request["round_id"] = opened["id"]
        start = time.monotonic()
        decision = await self._request(f"request.v1.{self.name}", request, DECISION_TIMEOUT_S)
        option, node = (decision["option"], decision["node"]) if decision else ("d0@L", self.name)
        fallback = "none" if decision else "no-decision"
        if node != self.name and not await self._classified(node, option):
            option, node, fallback = "d0@L", self.name, "no-responder"
        if node == self.name:
            await asyncio.sleep(LOCAL_MS[option[:2]] / 1000)
        taken = time.monotonic() - start
        self._record.ended(
            taken,
            DECISION_TIMEOUT_S + INFERENCE_TIMEOUT_S + TOLERANCE_S,
            answered=fallback == "none",
        )
        self._waiting.append(
            {
                "id": str(uuid4()), "at": _now(), "device": self.name, "node": node,
                "cause": decision["id"] if decision else request["id"],
                "assigned": decision["option"] if decision else None, "executed": option,
                "fallback": fallback, "response_ms": taken * 1000, "round": opened["number"],
                "round_id": opened["id"], "simulated": True,
            }
        )  # fmt: skip
        self._ready.set()

    async def _request(
        self, subject: str, body: dict[str, Any], timeout_s: float
    ) -> dict[str, Any] | None:
        try:
            raw = await self._bus.client.request(subject, json.dumps(body).encode(), timeout_s)
            answer: dict[str, Any] = json.loads(raw.data)
        except (*NATS_ERRORS, ValueError):
            return None
        return answer

    async def _classified(self, node: str, option: str) -> bool:
        headers = {"Variant": option.partition("@")[0]}
        try:
            raw = await self._bus.client.request(
                f"inference.v1.{node}", self._picture, INFERENCE_TIMEOUT_S, headers=headers
            )
            return bool(json.loads(raw.data)["status"] == "ok")
        except (*NATS_ERRORS, ValueError, KeyError):
            return False

    async def _deliver(self, stop: asyncio.Event) -> None:
        """Publish each outcome until it is acknowledged, in order, also after `stop`."""
        while not (stop.is_set() and not self._waiting):
            if not self._waiting:
                self._ready.clear()
                await first_of(stop, self._ready)
                continue
            outcome = self._waiting[0]
            await self._store(f"outcome.v1.{self.name}", outcome)
            self._waiting.popleft()
            self._record.acknowledged[outcome["id"]] = outcome["response_ms"]
            self._record.rounds[self.name, outcome["round_id"]] = outcome["response_ms"]
            if self._rng.random() < REPEATED:
                self._record.repeated += 1
                await self._store(f"outcome.v1.{self.name}", outcome)

    async def _store(self, subject: str, body: dict[str, Any]) -> None:
        headers = {"Nats-Msg-Id": body["id"]}
        while True:
            try:
                await self._bus.js.publish(subject, json.dumps(body).encode(), 2, headers=headers)
                return
            except NATS_ERRORS:
                self._record.unacknowledged += 1
                await asyncio.sleep(0.3)


async def request_often(
    bus: Bus, devices: list[str], record: ClientRecord, stop: asyncio.Event
) -> None:
    """Request decisions outside any round, about twenty a second."""
    turn = 0
    while not stop.is_set():
        device = devices[turn % len(devices)]
        turn += 1
        body = {"id": str(uuid4()), "at": _now(), "device": device}
        start = time.monotonic()
        try:
            raw = await bus.client.request(
                f"request.v1.{device}", json.dumps(body).encode(), DECISION_TIMEOUT_S
            )
            answered = b'"option"' in raw.data
        except NATS_ERRORS:
            answered = False
        record.ended(time.monotonic() - start, DECISION_TIMEOUT_S + TOLERANCE_S, answered=answered)
        await within(stop, 0.05)


def _now() -> str:
    return datetime.now(UTC).isoformat()
