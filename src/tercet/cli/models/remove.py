"""`tercet models remove`: take variants out of a family."""

from __future__ import annotations

from typing import Annotated

import typer

from tercet.cli.models.common import (
    AsJson,
    Family,
    Models,
    described,
    directory,
    overview,
    show,
    working,
)
from tercet.models import model_directory

EPILOG = "Example: [bold]tercet models remove small --family doors[/]; the last one stays."


def remove(
    variants: Annotated[list[str], typer.Argument(help="Which.")],
    family: Family = None,
    models: Models = None,
    as_json: AsJson = False,
) -> None:
    """Remove variants; running services stop offering them."""
    with working("removing"):
        manifest = model_directory.remove(directory(models, family), variants)
    show(as_json, described(manifest), overview(manifest))
