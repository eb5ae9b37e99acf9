"""`tercet serve`: everything but the fleet, which comes from outside."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from tercet.cli import input_checks
from tercet.cli.display import Display
from tercet.cli.process_plan import RunConfig
from tercet.cli.run import RunLocation, run
from tercet.cli.run_record import RunRecord
from tercet.messaging.broker import LOOPBACK
from tercet.process.settings import SchedulerName
from tercet.services.dashboard.settings import DEFAULT_PORT

BROKER_PORT = 4222

EPILOG = (
    "Examples: [bold]tercet serve[/] listens on 127.0.0.1:4222 until Ctrl-C. "
    "[bold]tercet serve --store ~/tercet[/] continues from what was learned before. "
    "[bold]tercet serve --scheduler rounds[/] tells devices when to make a request."
)


def serve(
    goal: Annotated[
        str, typer.Option(help="Least average accuracy: min, max, or percent 0..100.")
    ] = "85",
    scheduler: Annotated[
        SchedulerName,
        typer.Option(help="windows: devices ask at their own pace; rounds: as they are told."),
    ] = "windows",
    workers: Annotated[int, typer.Option(min=1, max=50, help="World-model workers.")] = 1,
    bind: Annotated[
        str, typer.Option(help="Address of the broker; any but loopback lets the network in.")
    ] = LOOPBACK,
    port: Annotated[
        int, typer.Option(min=-1, max=65535, help="Port of the broker; -1: a free one.")
    ] = BROKER_PORT,
    bus: Annotated[
        str | None, typer.Option(help="URL of a broker to use instead of an embedded one.")
    ] = None,
    store: Annotated[
        Path | None,
        typer.Option(help="Keep the streams in this folder, and continue from those in it."),
    ] = None,
    logs: Annotated[
        Path | None, typer.Option(help="Keep one log file per process in this folder.")
    ] = None,
    dashboard: Annotated[
        bool, typer.Option(help="Serve the live page, and print its address.")
    ] = True,
    seed: Annotated[int, typer.Option(min=0, help="Seed of all random numbers.")] = 0,
) -> None:
    """Start all but the fleet, which comes from outside."""
    console = Console(stderr=True, soft_wrap=True)
    if bus is not None:
        input_checks.alone("--bus", store=store)
    else:
        input_checks.port(port)
    input_checks.folders(logs=logs, store=store)
    config = RunConfig(
        goal=input_checks.reachable(input_checks.goal(goal), {}),
        outside=True,
        by_rounds=scheduler == "rounds",
        period=0.5,
        devices=1,
        nodes=1,
        workers=workers,
        seed=seed,
        dashboard=input_checks.port_or_free(DEFAULT_PORT) if dashboard else None,
    )
    if bus is None and bind != LOOPBACK:
        console.print(
            f"Anyone who reaches {bind}:{port} may do anything here: docs/security.md says how to "
            "give each node a key.",
            style="yellow",
        )
    with tempfile.TemporaryDirectory(prefix="tercet-") as scratch:
        location = RunLocation(
            store=input_checks.made(store or Path(scratch) / "store"),
            logs=input_checks.made(logs or Path(scratch) / "logs"),
            bus=bus,
            port=port,
            bind=bind,
        )
        display = Display(console)
        with display.shown():
            asyncio.run(run(config, location, display, RunRecord(None)))
