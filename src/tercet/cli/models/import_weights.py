"""`tercet models import`: published MobileNetV1 weights, from Keras' or timm's files."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from tercet.cli.models.common import AsJson, Models, directory, likenesses, show, skipped, working

EPILOG = (
    "Example: [bold]tercet models import mobilenet_*_224_tf.h5 --data ~/pictures --labels"
    " imagenet_class_index.json[/]. Each file replaces a float variant and its 8-bit form."
)


def bring(
    files: Annotated[
        list[Path], typer.Argument(help="Keras application weights (.h5) or timm's (.safetensors).")
    ],
    data: Annotated[
        Path | None,
        typer.Option("--data", help="Pictures to calibrate the 8-bit forms on; a few hundred do."),
    ] = None,
    labels: Annotated[
        Path | None, typer.Option(help="Names of the classes: a line each, or Keras' class index.")
    ] = None,
    models: Models = None,
    as_json: AsJson = False,
) -> None:
    """Take published weights in, quantise them, and say how like both forms are."""
    from tercet.models import (
        weight_import as work,  # torch and onnx: slow to load, and not in every installation
    )

    unused: dict[str, str] = {}
    with working("importing") as tell:
        found = work.weights(files, directory(models), data, labels, tell, unused.setdefault)
    skipped([*unused.items()])
    forms = {name: asdict(like) for name, like in found.items()}
    whole = {"directory": str(directory(models)), "quantised": forms}
    hint = "Accuracies are the published ones until measured: tercet models evaluate --data DIR"
    show(as_json, whole, likenesses(found), hint)
