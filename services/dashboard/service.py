"""The shell: hear the bus, serve the page, put in force what people ask for."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine

from tercet.messaging.bus import Bus
from tercet.messaging.nats_errors import NATS_ERRORS
from tercet.messaging.store import write_exploration, write_goal
from tercet.process import log
from tercet.process.errors import TryLater
from tercet.process.waiting import within
from tercet.schemas import clock
from tercet.schemas.exploration import Exploration
from tercet.schemas.goal import GoalSet
from tercet.services.dashboard.live import Live
from tercet.services.dashboard.page_state import PageState
from tercet.services.dashboard.pages import ActionHandler, Pages
from tercet.services.dashboard.server import address, listener, serve
from tercet.services.dashboard.settings import Settings
from tercet.services.dashboard.subscriptions import Ears
from tercet.services.dashboard.viewers import Viewers

_log = log.get(__name__)


async def main(bus: Bus, settings: Settings, stop: asyncio.Event) -> None:
    """Show and steer until `stop`."""
    sock = listener(settings.dashboard_host, settings.dashboard_port)
    picture = PageState()
    picture.board.put("site", "about", read_only=settings.dashboard_read_only)
    live = Live(picture, Viewers(settings.dashboard_viewers))
    ears = Ears(bus, picture)
    await ears.open(settings.dashboard_history)
    live.tick(time.monotonic(), clock.now().timestamp())
    pages = Pages(live, errands(bus, ears), settings)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(ears.watch(stop))
        tasks.create_task(beat(live, settings.dashboard_period, stop))
        tasks.create_task(serve(pages.application(), sock, live.viewers, stop))
        bus.ready = True
        _log.info("listening", url=address(sock))


async def beat(live: Live, period: float, stop: asyncio.Event) -> None:
    """Tell viewers what is new, once a period."""
    while not await within(stop, period):
        live.tick(time.monotonic(), clock.now().timestamp())


def errands(bus: Bus, ears: Ears) -> ActionHandler:
    """What people may ask for, on this bus."""

    async def set_goal(goal: str, by: str) -> GoalSet:
        message = GoalSet(goal=goal, by=by)
        await _put(bus, write_goal(bus, message))
        return message

    async def set_exploration(explore: bool, by: str) -> Exploration:
        message = Exploration(explore=explore, by=by)
        await _put(bus, write_exploration(bus, message))
        return message

    return ActionHandler(set_goal, set_exploration, ears.why)


async def _put(bus: Bus, writing: Coroutine[None, None, None]) -> None:
    """Put something in force; raises TryLater while the broker is away."""
    if bus.disconnected:
        writing.close()
        raise TryLater("the bus is away")
    try:
        await writing
    except NATS_ERRORS as trouble:
        raise TryLater("the broker did not take it; it may not be allowed") from trouble
