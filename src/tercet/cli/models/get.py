"""`tercet models get`: download a family's published weights, and import them."""

from __future__ import annotations

import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from tercet.cli.models.common import AsJson, Models, comparisons, directory, show, skipped, working
from tercet.cli.usage_error import UsageError
from tercet.models.manifest import PAPER_FAMILY

EPILOG = (
    "Example: [bold]tercet models get mobilenet-v1[/] replaces the seeded weights by those that"
    " Keras publishes (32 MB)."
)


def get(
    family: Annotated[str, typer.Argument(help="The family: mobilenet-v1.")],
    mirror: Annotated[
        str | None,
        typer.Option("--from", help="URL of a folder with the files, in place of Keras' own."),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option("--data", help="Pictures to calibrate the 8-bit forms on, a few hundred."),
    ] = None,
    models: Models = None,
    as_json: AsJson = False,
) -> None:
    """Download published weights, import and quantise them."""
    if family != PAPER_FAMILY:
        raise UsageError(f"models get: {PAPER_FAMILY} is what can be downloaded, not {family!r}")
    from tercet.models import download  # These need torch and onnx: slow to load.
    from tercet.models import weight_import as work

    place, unused = directory(models, family), dict[str, str]()
    with tempfile.TemporaryDirectory(prefix="tercet-") as folder, working("getting") as progress:
        files = download.keras_mobilenet(Path(folder), mirror and mirror.rstrip("/"), progress)
        found = work.import_weights(
            files.weights, place, data, files.labels, progress, unused.setdefault
        )
    skipped([*unused.items()])
    forms = {name: asdict(like) for name, like in found.items()}
    hint = "Accuracies are the published ones until measured: tercet models evaluate --data DIR"
    show(as_json, {"directory": str(place), "quantised": forms}, comparisons(found), hint)
