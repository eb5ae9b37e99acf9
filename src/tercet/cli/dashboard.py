"""`tercet dashboard`: a page that shows a running system live and changes its settings."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from tercet.cli.input_checks import port_or_free
from tercet.cli.running_system import CONNECT_TIMEOUT_S, Url, find
from tercet.messaging.bus import Bus
from tercet.messaging.service_runner import live
from tercet.services.dashboard.service import main
from tercet.services.dashboard.settings import DEFAULT_PORT, DashboardSettings

EPILOG = (
    "Examples: [bold]tercet dashboard[/] shows the newest `tercet up` that runs here. "
    "[bold]tercet dashboard --bus nats://10.0.0.7:4222 --read-only[/] shows another one."
)


def dashboard(
    bus: Url = None,
    port: Annotated[
        int | None,
        typer.Option(
            min=1, max=65535, help=f"Port ({DEFAULT_PORT}, or a free one when that is taken)."
        ),
    ] = None,
    host: Annotated[
        str, typer.Option(help="Address; any other opens the page to the network.")
    ] = "127.0.0.1",
    read_only: Annotated[bool, typer.Option(help="Refuse every change.")] = False,
) -> None:
    """Serve the dashboard until stopped, and print its address."""
    settings = DashboardSettings(
        bus_url=find(bus),
        connect_patience=CONNECT_TIMEOUT_S,
        log_level="ERROR",
        dashboard_host=host,
        dashboard_port=port or port_or_free(DEFAULT_PORT),
        dashboard_read_only=read_only,
    )

    async def serve(bus: Bus, settings: DashboardSettings, stop: asyncio.Event) -> None:
        print(f"http://{host}:{settings.dashboard_port}/", flush=True)
        await main(bus, settings, stop)

    asyncio.run(live("dashboard", serve, settings))
