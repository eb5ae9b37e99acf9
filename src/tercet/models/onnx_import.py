"""Import an ONNX classifier of the user into a model directory, as one of the variants.

All checks come before any change of the directory: the file is a valid model, the numbers of labels
and outputs agree, and a photograph can be classified.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx

from tercet.models import folders, images, labels, model_directory
from tercet.models.errors import ModelError, one_line
from tercet.models.manifest import Manifest
from tercet.models.session import Session
from tercet.models.variants import Normalisation, Precision, variant
from tercet.models.weight_import import model_entry

OLDEST_OPSET = 7
"""Oldest opset of the ONNX operators that onnxruntime reads."""


@dataclass(frozen=True, slots=True)
class ModelDescription:
    """What the user states about an ONNX file; the rest is read from it."""

    labels: Path
    accuracy_pct: float
    source: str
    """Whose figure the accuracy is."""
    normalisation: Normalisation = "symmetric"


def import_classifier(
    name: str, file: Path, directory: Path, description: ModelDescription
) -> Manifest:
    """Import an ONNX classifier as a variant. Raises `ModelError` that names what does not fit."""
    row, names = variant(name), labels.read(description.labels)
    if not 0 <= description.accuracy_pct <= 100:
        raise ModelError(f"accuracy must be 0..100 percent, not {description.accuracy_pct}")
    model = _load_checked(file)
    with model_directory.drafting(directory) as draft:
        path = draft / f"{name}.onnx"
        path.write_bytes(model.SerializeToString(deterministic=True))
        session = _open_and_run(path, file, description)
        labels.check_count(file, session.classes, names)
        if session.classes < folders.MIN_CLASSES:
            raise ModelError(f"model file {file} has one output: a classifier needs two")
        precision: Precision = "int8" if _is_quantised(model) else "fp32"
        if precision != row.precision:
            raise ModelError(f"model file {file} is {precision}, but {name} is for {row.precision}")
        entry = model_entry(
            path,
            width=None,
            precision=precision,
            input_px=session.input_px,
            accuracy_pct=description.accuracy_pct,
            accuracy_source=description.source,
            labels=labels.write(draft, names),
            weights=f"brought by the user: {file.name}",
            normalisation=description.normalisation,
            probabilities=_ends_in_softmax(model),
        )
        return model_directory.install(directory, draft, {name: entry})


def _load_checked(file: Path) -> onnx.ModelProto:
    """The model with its weights; `ModelError` when it is malformed."""
    if not file.is_file():
        raise ModelError(f"model file {file} is {'not a file' if file.exists() else 'missing'}")
    try:
        model = onnx.load(file)  # Includes weights in external files.
        onnx.checker.check_model(model)
    except Exception as error:  # Of protobuf, onnx, or OSError.
        raise ModelError(
            f"model file {file} is not a complete ONNX model: {one_line(error)}"
        ) from error
    opset = next((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), 0)
    newest = onnx.defs.onnx_opset_version()
    if not OLDEST_OPSET <= opset <= newest:
        raise ModelError(
            f"model file {file}: opset {opset} is not in {OLDEST_OPSET}..{newest}: export it anew"
        )
    return model


def _open_and_run(path: Path, file: Path, description: ModelDescription) -> Session:
    """Open the copy at `path` and run a photograph; errors name the user's `file`."""
    try:
        session = Session(path)
    except ModelError as error:
        raise ModelError(str(error).replace(str(path), str(file))) from None
    picture = images.reference_photograph()
    try:
        scores = session.run(images.decode(picture, session.input_px, description.normalisation))
    except Exception as error:  # onnxruntime has one class per status.
        raise ModelError(f"model file {file} does not run: {one_line(error)}") from error
    if scores.shape != (1, session.classes) or not np.isfinite(scores).all():
        raise ModelError(f"model file {file}: no finite scores [1, classes] for a photograph")
    return session


def _is_quantised(model: onnx.ModelProto) -> bool:
    return any("Quantize" in node.op_type or "Integer" in node.op_type for node in model.graph.node)


def _ends_in_softmax(model: onnx.ModelProto) -> bool:
    last = model.graph.output[0].name
    return any(n.op_type == "Softmax" and last in n.output for n in model.graph.node)
