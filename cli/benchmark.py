"""`tercet bench …`: the same as `python -m bench …`."""

from __future__ import annotations

import os
import sys

import typer

EPILOG = (
    "Examples: [bold]tercet bench --help[/] lists the tables and figures. "
    "[bold]tercet bench table5 --help[/] says more of one."
)

CONTEXT = {
    "allow_extra_args": True,
    "ignore_unknown_options": True,
    "help_option_names": [],
}


def bench(context: typer.Context) -> None:
    """Make the paper's tables and figures; everything is passed on to `python -m bench`."""
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", "bench", *context.args])
