"""`tercet models import`: published MobileNetV1 weights from files of Keras or timm."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from tercet.cli.models.common import AsJson, Models, comparisons, directory, show, skipped, working

EPILOG = (
    "Example: [bold]tercet models import mobilenet_*_224_tf.h5 --data ~/pictures --labels"
    " imagenet_class_index.json[/]. Each file replaces a float variant and its 8-bit form."
)


def import_weights(
    files: Annotated[
        list[Path], typer.Argument(help="Keras application weights (.h5) or timm's (.safetensors).")
    ],
    data: Annotated[
        Path | None,
        typer.Option("--data", help="Pictures to calibrate the 8-bit forms on, a few hundred."),
    ] = None,
    labels: Annotated[
        Path | None, typer.Option(help="Names of the classes: a line each, or Keras' class index.")
    ] = None,
    models: Models = None,
    as_json: AsJson = False,
) -> None:
    """Import published weights, quantise them, and compare both forms."""
    from tercet.models import weight_import as work  # Needs torch and onnx: slow to load.

    unused: dict[str, str] = {}
    with working("importing") as progress:
        found = work.import_weights(
            files, directory(models), data, labels, progress, unused.setdefault
        )
    skipped([*unused.items()])
    forms = {name: asdict(like) for name, like in found.items()}
    whole = {"directory": str(directory(models)), "quantised": forms}
    hint = "Accuracies are the published ones until measured: tercet models evaluate --data DIR"
    show(as_json, whole, comparisons(found), hint)
