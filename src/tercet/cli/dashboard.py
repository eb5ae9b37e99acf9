"""`tercet dashboard`: a page that shows a running system, live, and lets people steer it."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from tercet.cli.running_system import Url, find
from tercet.messaging import broker
from tercet.messaging.app import live
from tercet.messaging.bus import Bus
from tercet.services.dashboard.service import main
from tercet.services.dashboard.settings import PORT, Settings

EPILOG = (
    "Examples: [bold]tercet dashboard[/] shows the `tercet up` that runs here. "
    "[bold]tercet dashboard --bus nats://10.0.0.7:4222 --read-only[/] shows another one."
)


def dashboard(
    bus: Url = None,
    port: Annotated[
        int | None,
        typer.Option(min=1, max=65535, help=f"Port ({PORT}, or a free one if that is taken)."),
    ] = None,
    host: Annotated[
        str, typer.Option(help="Address; any other lets the network see and steer.")
    ] = "127.0.0.1",
    read_only: Annotated[bool, typer.Option(help="Show, but refuse every change.")] = False,
) -> None:
    """Serve the dashboard until stopped, and print its address."""
    settings = Settings(
        bus_url=find(bus),
        connect_patience=3.0,
        log_level="ERROR",
        dashboard_host=host,
        dashboard_port=port or free(PORT),
        dashboard_read_only=read_only,
    )

    async def shown(bus: Bus, settings: Settings, stop: asyncio.Event) -> None:
        print(f"http://{host}:{settings.dashboard_port}/", flush=True)
        await main(bus, settings, stop)

    asyncio.run(live("dashboard", shown, settings))


def free(wanted: int) -> int:
    """The port that is wanted, or one that is free when somebody has it."""
    return wanted if broker.port_is_free(wanted) else broker.free_port()
