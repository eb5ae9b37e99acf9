"""An observer on the broker: notices when the system serves everyone again, and what was said."""

from __future__ import annotations

import asyncio
import json
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

from tercet.messaging.bus import Bus

ROUNDS = 500
"""Rounds that are remembered."""


@dataclass
class Heard:
    """What was overheard of one round."""

    opened: float
    devices: frozenset[str]
    decided: set[str] = field(default_factory=set)
    served: set[str] = field(default_factory=set)
    """Devices that were decided for, ran what was decided, and reported."""


class Observer:
    """Reads raw JSON, not our classes; times are monotonic seconds."""

    def __init__(self, devices: frozenset[str]) -> None:
        self._devices = devices
        self._rounds: OrderedDict[str, Heard] = OrderedDict()
        self.said: dict[str, tuple[str, float]] = {}
        """Id of every outcome that was overheard, to its device and the second."""
        self.full = asyncio.Event()
        self._since = 0.0

    async def listen(self, bus: Bus) -> None:
        """Overhear rounds, decisions, outcomes and experience."""
        for subject, handle in (
            ("round.v1", self._on_round),
            ("decision.v1.*", self._on_decision),
            ("outcome.v1.*", self._on_outcome),
            ("experience.v1.real", self._on_experience),
        ):

            async def on_message(raw: Any, handle: Any = handle) -> None:
                handle(json.loads(raw.data))

            await bus.client.subscribe(subject, cb=on_message)

    async def back(self, since: float, patience: float) -> float | None:
        """Wait for a round opened after `since` that serves everyone in full; seconds it took.

        None when there is none within `patience`.
        """
        self._since = since
        self.full.clear()
        try:
            async with asyncio.timeout(patience):
                await self.full.wait()
        except TimeoutError:
            return None
        return time.monotonic() - since

    def _on_round(self, said: dict[str, Any]) -> None:
        self._rounds[said["id"]] = Heard(time.monotonic(), frozenset(said["devices"]))
        while len(self._rounds) > ROUNDS:
            self._rounds.popitem(last=False)

    def _on_decision(self, said: dict[str, Any]) -> None:
        heard = self._rounds.get(said.get("round_id") or "")
        if heard is not None:
            heard.decided.add(said["device"])

    def _on_outcome(self, said: dict[str, Any]) -> None:
        self.said[said["id"]] = (said["device"], time.time())
        heard = self._rounds.get(said.get("round_id") or "")
        if heard is not None and said["fallback"] == "none":
            heard.served.add(said["device"])

    def _on_experience(self, said: dict[str, Any]) -> None:
        """A round has closed: decisions for all, nobody fell back, nobody is missing."""
        heard = self._rounds.get(said["cause"])
        if heard is None or heard.opened < self._since or said["censored"]:
            return
        everyone = self._devices
        if heard.devices >= everyone and heard.decided >= everyone and heard.served >= everyone:
            self.full.set()
