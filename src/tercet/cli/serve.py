"""`tercet serve`: everything but the fleet, which comes from outside."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from tercet.cli import input_checks, run_options
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
    goal: run_options.Goal = "85",
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
    bus: run_options.BusUrl = None,
    store: run_options.Store = None,
    logs: run_options.Logs = None,
    dashboard: Annotated[
        bool, typer.Option(help="Serve the live page, and print its address.")
    ] = True,
    seed: run_options.Seed = 0,
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
