"""The demonstration as a source: a folder's pictures in turn, one per round of this device.

Where there are no rounds it makes a request now and then, so that there is something to see; it
leaves the device to the applications that use it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from itertools import cycle

from tercet.models.errors import AssetError
from tercet.models.images import Picture, load_pictures
from tercet.process import log
from tercet.process.errors import Misconfigured
from tercet.schemas.round import Round
from tercet.services.gateway.application import Answer, ApplicationRequest
from tercet.services.gateway.http.families import Families
from tercet.services.gateway.settings import GatewaySettings

SOURCE = "demonstration"
ASIDE_S = 60.0
"""Seconds after an application's request in which it makes none of its own accord."""

InferInRound = Callable[[ApplicationRequest, Round | None], Awaitable[Answer]]

_log = log.get(__name__)


class Demonstration:
    """Makes a request in every round that names this device, and where asked to without one."""

    def __init__(
        self, settings: GatewaySettings, infer: InferInRound, families: Families | None = None
    ) -> None:
        """`families`: asked for in turn; None: the device's first one."""
        self._settings, self._infer, self._families = settings, infer, families
        self._made = 0
        self._rounds: asyncio.Queue[Round] = asyncio.Queue(1)
        self._aside_until = 0.0
        """On the loop's clock."""

    async def on_round(self, opened: Round) -> None:
        """A round was opened."""
        if self._settings.node in opened.devices:
            if self._rounds.full():  # Rounds may come during a request: only the newest counts.
                self._rounds.get_nowait()
            self._rounds.put_nowait(opened)

    def step_aside(self) -> None:
        """An application makes a request."""
        self._aside_until = asyncio.get_running_loop().time() + ASIDE_S

    async def run(self, pictures: list[Picture], stop: asyncio.Event) -> None:
        """One request at a time, until `stop`."""
        following = cycle(pictures)
        while not stop.is_set():
            opened = await next_round(self._rounds, stop, self._settings.idle)
            aside = asyncio.get_running_loop().time() < self._aside_until
            if not stop.is_set() and (opened is not None or not aside):
                await self._request(following, opened)

    async def _request(self, pictures: Iterator[Picture], opened: Round | None) -> None:
        picture = next(pictures)
        request = ApplicationRequest(
            picture=picture.jpeg,
            source=SOURCE,
            frame=picture.name,
            deadline_ms=self._settings.deadline * 1000,
            family=self._next_family(),
            original=picture.original,
        )
        answer = await self._infer(request, opened)
        if answer.status == "failed":
            _log.error("request failed", picture=picture.name, reason=answer.reason)

    def _next_family(self) -> str | None:
        offered = self._families() if self._families else ()
        self._made += 1
        return offered[self._made % len(offered)].name if len(offered) > 1 else None


async def next_round(
    rounds: asyncio.Queue[Round], stop: asyncio.Event, idle: float | None
) -> Round | None:
    """Wait for a round, `stop`, or `idle` seconds; of several rounds return the newest.

    Without `idle` it waits for the other two only.
    """
    arrival = asyncio.ensure_future(rounds.get())
    stopping = asyncio.ensure_future(stop.wait())
    await asyncio.wait({arrival, stopping}, timeout=idle, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not arrival.done():
        arrival.cancel()
        return None
    opened = arrival.result()
    while not rounds.empty():
        opened = rounds.get_nowait()
    return opened


def load(settings: GatewaySettings) -> list[Picture]:
    """Load the pictures and log the skipped ones; raises Misconfigured when none is usable."""
    try:
        pictures, skipped = load_pictures(settings.images)
    except AssetError as error:
        raise Misconfigured(str(error)) from error
    for name, reason in skipped:
        _log.warning("picture skipped", name=name, reason=reason)
    return pictures
