"""`tercet models add`: any ONNX classifier as one of the variants."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, cast

import typer

from tercet.cli.models.common import AsJson, Models, described, directory, overview, show, working
from tercet.cli.usage_error import UsageError
from tercet.models.images import NORMALISATION_STATISTICS
from tercet.models.variants import Normalisation

EPILOG = (
    "Example: [bold]tercet models add model.onnx --variant d2 --labels labels.txt --accuracy 84.9"
    ' --source "top-5, our test set of May"[/]'
)


def add(
    file: Annotated[Path, typer.Argument(help="ONNX: float [N, 3, S, S] in, [N, classes] out.")],
    variant: Annotated[str, typer.Option(help="Which to replace: d0 to d3 float, d4 to d7 8 bit.")],
    labels: Annotated[Path, typer.Option(help="Names of the classes, a line each.")],
    accuracy: Annotated[float, typer.Option(help="Percent, from your own measurement.")],
    source: Annotated[str, typer.Option(help="Source of the accuracy, as text.")],
    normalise: Annotated[
        str,
        typer.Option(help="Of pixels: symmetric (-1 to 1), unit (0 to 1), imagenet (mean, std)."),
    ] = "symmetric",
    models: Models = None,
    as_json: AsJson = False,
) -> None:
    """Add your own ONNX classifier, after checks and a run on a photograph."""
    if normalise not in NORMALISATION_STATISTICS:
        raise UsageError(f"--normalise {normalise}: one of {', '.join(NORMALISATION_STATISTICS)}")
    if not source.strip():
        raise UsageError("--source: name the source of the accuracy")
    from tercet.models import onnx_import as work

    with working("adding") as progress:
        progress(variant, "check")
        description = work.ModelDescription(
            labels, accuracy, source, cast(Normalisation, normalise)
        )
        manifest = work.import_classifier(variant, file, directory(models), description)
    show(as_json, described(manifest), overview(manifest))
