"""An observer on the broker: it records outcomes and when all devices are served again."""

from __future__ import annotations

import asyncio
import json
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

from tercet.messaging.bus import Bus

ROUNDS = 500
"""Number of rounds that are kept."""


@dataclass
class ObservedRound:
    """Messages observed in one round."""

    opened: float
    devices: frozenset[str]
    served: set[str] = field(default_factory=set)
    """Devices that ran their decision and reported it."""


class Observer:
    """Parses plain JSON, independently of the message classes; times are monotonic seconds."""

    def __init__(self, devices: frozenset[str]) -> None:
        self._devices = devices
        self._rounds: OrderedDict[str, ObservedRound] = OrderedDict()
        self.outcomes: dict[str, tuple[str, float]] = {}
        """Id of every observed outcome, to its device and wall-clock second."""
        self.full = asyncio.Event()
        self._since = 0.0

    async def subscribe(self, bus: Bus) -> None:
        """Subscribe to rounds, outcomes and experience."""
        for subject, handle in (
            ("round.v1", self._on_round),
            ("outcome.v1.*", self._on_outcome),
            ("experience.v2.real", self._on_experience),
        ):

            async def on_message(raw: Any, handle: Any = handle) -> None:
                handle(json.loads(raw.data))

            await bus.client.subscribe(subject, cb=on_message)

    async def recovered(self, since: float, timeout_s: float) -> float | None:
        """Wait for a round opened after `since` in which all devices are served.

        Returns the seconds since then, or None after `timeout_s`.
        """
        self._since = since
        self.full.clear()
        try:
            async with asyncio.timeout(timeout_s):
                await self.full.wait()
        except TimeoutError:
            return None
        return time.monotonic() - since

    def _on_round(self, message: dict[str, Any]) -> None:
        self._rounds[message["id"]] = ObservedRound(time.monotonic(), frozenset(message["devices"]))
        while len(self._rounds) > ROUNDS:
            self._rounds.popitem(last=False)

    def _on_outcome(self, message: dict[str, Any]) -> None:
        self.outcomes[message["id"]] = (message["device"], time.time())
        observed = self._rounds.get(message.get("round_id") or "")
        if observed is not None and message["fallback"] == "none":
            observed.served.add(message["device"])

    def _on_experience(self, message: dict[str, Any]) -> None:
        """A round has closed: check that all ran as decided, and that no device is missing."""
        observed = self._rounds.get(message["cause"])
        if observed is None or observed.opened < self._since:
            return
        expected = self._devices
        if not {r["device"] for r in message["requests"]} >= observed.devices:
            return
        if observed.devices >= expected and observed.served >= expected:
            self.full.set()
