"""`tercet up`: everything on this host, from broker to devices, and a summary at the end."""

from __future__ import annotations

import asyncio
import json
import signal
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from cli import checks
from cli.display import Display
from cli.run import Request, conduct, total_rounds
from cli.summary import render, summarise
from runtime import log

EPILOG = (
    "Examples: [bold]tercet up[/] runs until Ctrl-C. "
    "[bold]tercet up --rounds 60 --goal 80[/] learns for 60 rounds, compares, ends. "
    "[bold]tercet up --rounds 60 --json[/] prints the summary as JSON. "
    "[bold]tercet up --images ~/pictures[/] classifies your own pictures."
)


def up(
    rounds: Annotated[
        int | None, typer.Option(min=1, help="Learning rounds; without it: until stopped.")
    ] = None,
    goal: Annotated[
        str, typer.Option(help="Least average accuracy: min, max, or percent 0..100.")
    ] = "85",
    devices: Annotated[int, typer.Option(min=1, max=50, help="Devices to emulate.")] = 5,
    workers: Annotated[
        int,
        typer.Option(min=1, max=50, help="World-model workers: share five members, and plan."),
    ] = 1,
    evaluations: Annotated[
        int, typer.Option(min=0, help="Evaluation rounds of each policy after the last round.")
    ] = 12,
    period: Annotated[float, typer.Option(min=0.0, help="Seconds from round to round.")] = 0.5,
    images: Annotated[
        Path | None, typer.Option(help="Folder of pictures; without it: three photographs.")
    ] = None,
    models: Annotated[
        Path | None,
        typer.Option(envvar="TERCET_MODELS", help="Model directory; built there when missing."),
    ] = None,
    bus: Annotated[
        str | None, typer.Option(help="URL of a broker to use instead of an embedded one.")
    ] = None,
    port: Annotated[
        int, typer.Option(min=-1, max=65535, help="Port of the embedded broker; -1: a free one.")
    ] = -1,
    logs: Annotated[
        Path | None, typer.Option(help="Keep one log file per process in this folder.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Where chance begins.")] = 0,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the summary as one JSON object on stdout.")
    ] = False,
) -> None:
    """Start everything on this host, learn, and compare what was learned with fixed policies."""
    log.configure("up", "ERROR")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    console = Console(stderr=True, soft_wrap=True)
    try:
        checks.port(port)
        checks.pictures(images, console)
        found = checks.models(models, console)
        goal = checks.goal(goal, found)
    except KeyboardInterrupt:
        console.print("Stopped before anything was started.")
        raise typer.Exit from None
    if found.untrained:
        console.print("Weights: seeded, untrained. Timing is real, labels are not.", style="yellow")
    with tempfile.TemporaryDirectory(prefix="tercet-") as scratch:
        request = Request(
            rounds=rounds,
            goal=goal,
            devices=devices,
            workers=workers,
            evaluations=evaluations if rounds else 0,
            period=period,
            images=images,
            models=found.directory,
            bus=bus,
            port=port,
            seed=seed,
            store=Path(scratch),
            logs=_folder(logs or Path(scratch) / "logs"),
        )
        display = Display(console, total_rounds(request))
        with display.shown():
            record = asyncio.run(conduct(request, display))
    summary = summarise(record, goal)
    if as_json:
        print(json.dumps(summary))
    else:
        Console().print(render(summary, found))


def _folder(path: Path) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    return path.absolute()
