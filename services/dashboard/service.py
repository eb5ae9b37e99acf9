"""Connects the bus, the page state and the web server."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine

from tercet.messaging.bus import Bus
from tercet.messaging.nats_errors import NATS_ERRORS
from tercet.messaging.operator_settings import write_exploration, write_goal
from tercet.process import log
from tercet.process.errors import TryLater
from tercet.process.waiting import within
from tercet.process.web_server import address, listener
from tercet.schemas import clock
from tercet.schemas.exploration import Exploration
from tercet.schemas.goal import GoalSet
from tercet.services.dashboard.page_state import PageState
from tercet.services.dashboard.page_updates import PageUpdates
from tercet.services.dashboard.pages import ActionHandler, Pages
from tercet.services.dashboard.server import serve
from tercet.services.dashboard.settings import DashboardSettings
from tercet.services.dashboard.subscriptions import Subscriptions
from tercet.services.dashboard.viewers import Viewers

_log = log.get(__name__)


async def main(bus: Bus, settings: DashboardSettings, stop: asyncio.Event) -> None:
    """Serve the dashboard until `stop`."""
    sock = listener(settings.dashboard_host, settings.dashboard_port, "TERCET_DASHBOARD")
    page = PageState()
    page.state.put("site", "about", read_only=settings.dashboard_read_only)
    updates = PageUpdates(page, Viewers(settings.dashboard_viewers))
    subscriptions = Subscriptions(bus, page)
    await subscriptions.open(settings.dashboard_history)
    updates.tick(time.monotonic(), clock.now().timestamp())
    pages = Pages(updates, action_handler(bus, subscriptions), settings)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(subscriptions.watch_connection(stop))
        tasks.create_task(send_updates(updates, settings.dashboard_period, stop))
        tasks.create_task(serve(pages.application(), sock, updates.viewers, stop))
        bus.ready = True
        _log.info("listening", url=address(sock))


async def send_updates(updates: PageUpdates, period: float, stop: asyncio.Event) -> None:
    """Send changes to all viewers every `period` seconds until `stop`."""
    while not await within(stop, period):
        updates.tick(time.monotonic(), clock.now().timestamp())


def action_handler(bus: Bus, subscriptions: Subscriptions) -> ActionHandler:
    """Return the actions of the page, executed on this bus."""

    async def set_goal(goal: str, by: str) -> GoalSet:
        message = GoalSet(goal=goal, by=by)
        await _write(bus, write_goal(bus, message))
        return message

    async def set_exploration(explore: bool, by: str) -> Exploration:
        message = Exploration(explore=explore, by=by)
        await _write(bus, write_exploration(bus, message))
        return message

    return ActionHandler(set_goal, set_exploration, subscriptions.explain)


async def _write(bus: Bus, writing: Coroutine[None, None, None]) -> None:
    """Await a write to the control bucket; raises TryLater while the broker is unreachable."""
    if bus.disconnected:
        writing.close()
        raise TryLater("the bus is away")
    try:
        await writing
    except NATS_ERRORS as error:
        raise TryLater("the broker refused the write; permission may be missing") from error
