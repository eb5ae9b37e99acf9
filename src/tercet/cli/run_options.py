"""Options that `tercet up` and `tercet serve` share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Goal = Annotated[str, typer.Option(help="Least average accuracy: min, max, or percent 0..100.")]
BusUrl = Annotated[
    str | None, typer.Option(help="URL of a broker to use instead of an embedded one.")
]
Store = Annotated[
    Path | None,
    typer.Option(help="Keep the streams in this folder, and continue from those in it."),
]
Logs = Annotated[Path | None, typer.Option(help="Keep one log file per process in this folder.")]
Seed = Annotated[int, typer.Option(min=0, help="Seed of all random numbers.")]
