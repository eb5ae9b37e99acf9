"""What the dashboard hears, and what it reads back: at start, and after the broker was away."""

from __future__ import annotations

import asyncio
import time

from tercet.messaging.bus import Bus
from tercet.messaging.replay import last_each, replay
from tercet.messaging.store import ParameterStore, read_exploration, read_goal
from tercet.messaging.topology import MEMBERS
from tercet.process import log
from tercet.process.errors import NoAnswer, TryLater, Unprocessable
from tercet.process.waiting import within
from tercet.schemas import Message, clock
from tercet.schemas.capability import Capability
from tercet.schemas.experience import Experience
from tercet.schemas.explain import Explain
from tercet.schemas.explanation import Explanation
from tercet.services.dashboard.page_state import PageState

LOOK = 0.2
"""Seconds between two looks whether the broker is there."""
PATIENCE = 1.0
"""Seconds in which the decider must say why."""
OWNERS = ("policy", *(f"member-{k}" for k in range(MEMBERS)))

_log = log.get(__name__)


class Ears:
    """Feeds a picture from the bus."""

    def __init__(self, bus: Bus, picture: PageState) -> None:
        self._bus, self._picture = bus, picture

    async def open(self, history: int) -> None:
        """Read back so many rounds, begin to listen, and read what is only said once."""
        if history:
            async for _, experience in replay(self._bus, Experience, last=history):
                self._picture.recall(experience, experience.at.timestamp())
        for kind in self._picture.kinds:
            await self._bus.observe(kind, self._hear, self._picture.malformed)
        await self._refresh()

    async def watch(self, stop: asyncio.Event) -> None:
        """Notice when the broker goes and comes back, and read again what may have been missed."""
        stale = False
        while not await within(stop, LOOK):
            away = self._bus.disconnected
            self._picture.nodes.bus(away=away, now=time.monotonic(), wall=clock.now().timestamp())
            stale = stale or away
            if stale and not away:
                try:
                    await self._refresh()
                    stale = False
                except TryLater as error:
                    _log.warning("cannot read again", reason=str(error))

    async def why(self, device: str) -> Explanation | None:
        """Ask the decider why a device was told what it was told; None when it does not say."""
        try:
            return await self._bus.request(Explain(device=device), Explanation, PATIENCE)
        except (NoAnswer, Unprocessable) as error:
            _log.debug("not explained", device=device, reason=str(error))
            return None

    def _hear(self, message: Message) -> None:
        self._picture.hear(message, time.monotonic(), clock.now().timestamp())

    async def _refresh(self) -> None:
        """What is said once and kept: goal, capabilities, parameters. Raises TryLater."""
        for capability in await last_each(self._bus, Capability):
            self._hear(capability)
        for said in (await read_goal(self._bus), await read_exploration(self._bus)):
            if said is not None:
                self._hear(said)
        store = await ParameterStore.open(self._bus)
        for owner in OWNERS:
            pointer = await store.pointer(owner)
            if pointer is not None:
                self._hear(pointer)
