"""Run one service from start to exit: settings, health, connection, signals, grace period."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import TypeVar

from tercet.messaging.bus import Bus, connect
from tercet.messaging.name_lock import hold_name
from tercet.process import log, metrics, tracing
from tercet.process.errors import Misconfigured
from tercet.process.health.server import Health, serving
from tercet.process.settings import BusSettings, read
from tercet.process.watchdog import notifying_watchdog

S = TypeVar("S", bound=BusSettings)

Main = Callable[[Bus, S, asyncio.Event], Awaitable[None]]

_log = log.get(__name__)


def run(name: str, main: Main[S], kind: type[S], *, nice: int = 0) -> None:
    """Block until `main` returns; after SIGINT or SIGTERM it has `settings.grace` to do so.

    Exits with 2 and one line when the service cannot start, with 1 when it failed or exceeded
    its grace period. `nice` lowers the priority of this process: training must not slow down
    decisions.
    """
    log.configure(name)
    code = 0
    try:
        settings = read(kind)
        log.configure(name, settings.log_level, **_facts(settings))
        tracing.configure(name, **_facts(settings))
        os.nice(nice)
        asyncio.run(live(name, main, settings))
    except* Misconfigured as group:
        code = 2
        _log.error("misconfigured", reason=str(_first(group)))
    except* GracePeriodExceeded:
        code = 1
        _log.error("grace period exceeded, stopped with work unfinished")
    sys.exit(code)


class GracePeriodExceeded(Exception):
    """The service did not end within its grace period after a signal."""


async def live(name: str, main: Main[S], settings: S) -> None:
    """Connect, run `main`, and turn the first signal into its `stop` event."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    deadline = asyncio.timeout(None)
    health = Health(loop, stop)
    metrics.SERVICE.labels(name, _facts(settings).get("node", "")).set(1)

    def begin_stop() -> None:
        if not stop.is_set():
            stop.set()
            deadline.reschedule(loop.time() + settings.grace)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, begin_stop)
    try:
        with serving(health, settings) as port:
            async with notifying_watchdog(), deadline, connect(settings, name, stop) as bus:
                health.bus = bus
                if not stop.is_set():
                    _log.info("service started", **({"health_port": port} if port else {}))
                    async with hold_name(bus, name, settings):
                        await main(bus, settings, stop)
    except TimeoutError as error:
        if deadline.expired():
            raise GracePeriodExceeded from error
        raise
    _log.info("service stopped")


def _facts(settings: BusSettings) -> dict[str, str]:
    node = getattr(settings, "node", None)
    return {"node": node} if node else {}


def _first(group: BaseException) -> BaseException:
    while isinstance(group, BaseExceptionGroup):
        group = group.exceptions[0]
    return group
