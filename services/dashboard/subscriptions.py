"""Feeds the page state from the bus: subscriptions, and stored messages read back.

Stored messages are read at start, and again after the broker connection was lost.
"""

from __future__ import annotations

import asyncio
import time

from tercet.messaging.bus import Bus
from tercet.messaging.operator_settings import ControlReader
from tercet.messaging.parameter_store import ParameterStore
from tercet.messaging.stream_reader import last_per_subject, replay
from tercet.messaging.topology import MEMBERS
from tercet.process import log
from tercet.process.errors import NoAnswer, TryLater, Unprocessable
from tercet.process.waiting import within
from tercet.schemas import Message, clock
from tercet.schemas.capability import Capability
from tercet.schemas.decision import Decision
from tercet.schemas.experience_v2 import Experience
from tercet.schemas.explain import Explain
from tercet.schemas.explanation import Explanation
from tercet.services.dashboard.page_state import PageState

CONNECTION_POLL_S = 0.2
"""Seconds between two checks of the broker connection."""
EXPLAIN_TIMEOUT_S = 1.0
"""Seconds in which the decider must explain a decision."""
OWNERS = ("policy", *(f"member-{k}" for k in range(MEMBERS)))

_log = log.get(__name__)


class Subscriptions:
    """Passes every message of interest on the bus to a page state."""

    def __init__(self, bus: Bus, page: PageState) -> None:
        self._bus, self._page = bus, page
        self._control = ControlReader(bus)

    async def open(self, history: int) -> None:
        """Read back `history` rounds, subscribe, then read what is published only once."""
        if history:
            async for _, experience in replay(self._bus, Experience, last=history):
                self._page.recall(experience, experience.at.timestamp())
        for kind in self._page.message_types:
            await self._bus.observe(kind, self._apply, self._page.on_malformed)
        await self._read_stored()

    async def watch_connection(self, stop: asyncio.Event) -> None:
        """Track the broker connection until `stop`; read stored messages after a reconnect."""
        stale = False
        while not await within(stop, CONNECTION_POLL_S):
            disconnected = self._bus.disconnected
            self._page.nodes.set_disconnected(
                disconnected, now=time.monotonic(), wall=clock.now().timestamp()
            )
            stale = stale or disconnected
            if stale and not disconnected:
                try:
                    await self._read_stored()
                    stale = False
                except TryLater as error:
                    _log.warning("reading stored messages failed", reason=str(error))

    async def explain(self, device: str) -> Explanation | None:
        """Request the decider's explanation for a device; None if it gives none in time."""
        try:
            return await self._bus.request(Explain(device=device), Explanation, EXPLAIN_TIMEOUT_S)
        except (NoAnswer, Unprocessable) as error:
            _log.debug("no explanation", device=device, reason=str(error))
            return None

    def _apply(self, message: Message) -> None:
        self._page.apply(message, time.monotonic(), clock.now().timestamp())

    async def _read_stored(self) -> None:
        """Read capabilities, decisions, goal, exploration, parameter versions; raises TryLater."""
        for capability in await last_per_subject(self._bus, Capability):
            self._apply(capability)
        for decision in await last_per_subject(self._bus, Decision):  # Published when they change.
            if self._page.state.get("devices", decision.device):
                self._apply(decision)
        for stored in (await self._control.goal(), await self._control.exploration()):
            if stored is not None:
                self._apply(stored)
        store = await ParameterStore.open(self._bus)
        for owner in OWNERS:
            pointer = await store.pointer(owner)
            if pointer is not None:
                self._apply(pointer)
