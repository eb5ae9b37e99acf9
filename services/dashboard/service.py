"""The shell: hear the bus, serve the page, put in force what people ask for."""

from __future__ import annotations

import asyncio
import time

from runtime import log
from runtime.bus import Bus
from runtime.errors import TryLater
from runtime.store import write_goal
from runtime.trouble import TROUBLE
from runtime.waiting import within
from schemas.goal import GoalSet
from services.dashboard.ears import Ears
from services.dashboard.live import Live
from services.dashboard.pages import Pages, Steering
from services.dashboard.picture import Picture
from services.dashboard.server import address, listener, serve
from services.dashboard.settings import Settings
from services.dashboard.viewers import Viewers

_log = log.get(__name__)


async def main(bus: Bus, settings: Settings, stop: asyncio.Event) -> None:
    """Show and steer until `stop`."""
    sock = listener(settings.dashboard_host, settings.dashboard_port)
    picture = Picture()
    picture.board.put("site", "about", read_only=settings.dashboard_read_only)
    live = Live(picture, Viewers(settings.dashboard_viewers))
    ears = Ears(bus, picture)
    await ears.open(settings.dashboard_history)
    pages = Pages(live, steering(bus), settings)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(ears.watch(stop))
        tasks.create_task(beat(live, settings.dashboard_period, stop))
        tasks.create_task(serve(pages.application(), sock, live.viewers, stop))
        _log.info("listening", url=address(sock))


async def beat(live: Live, period: float, stop: asyncio.Event) -> None:
    """Tell viewers what is new, once a period."""
    while not await within(stop, period):
        live.tick(time.monotonic(), time.time())


def steering(bus: Bus) -> Steering:
    """What people may change, on this bus."""

    async def set_goal(goal: str, by: str) -> GoalSet:
        message = GoalSet(goal=goal, by=by)
        if bus.away:
            raise TryLater("the broker is away")
        try:
            await write_goal(bus, message)
        except TROUBLE as trouble:
            raise TryLater(f"the goal was not set: {trouble!r}") from trouble
        return message

    return Steering(set_goal)
