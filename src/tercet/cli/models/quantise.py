"""`tercet models quantise`: rebuild the 8-bit forms, calibrated on the user's pictures."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from tercet.cli.models.common import (
    AsJson,
    Family,
    Models,
    comparisons,
    present,
    show,
    skipped,
    working,
)

EPILOG = "Example: [bold]tercet models quantise --data ~/pictures --variant d4 --variant d5[/]"


def quantise(
    data: Annotated[
        Path | None,
        typer.Option("--data", help="Pictures, at any depth; without it: the photographs shipped."),
    ] = None,
    variant: Annotated[
        list[str] | None, typer.Option(help="Which, by either form's name; without it: all.")
    ] = None,
    family: Family = None,
    models: Models = None,
    as_json: AsJson = False,
) -> None:
    """Quantise the float variants (static, per channel), and compare both forms."""
    from tercet.models import weight_import as work

    unused: dict[str, str] = {}
    with working("quantising") as progress:
        found = work.quantise_variants(
            present(models, family), data, variant, progress, unused.setdefault
        )
    skipped([*unused.items()])
    show(as_json, {name: asdict(like) for name, like in found.items()}, comparisons(found))
