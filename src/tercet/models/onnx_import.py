"""Any ONNX classifier of the user's into a model directory, as one of the variants.

Everything is checked before the directory is touched: that the file is what it seems, that labels
and outputs agree in number, and that a photograph goes through.
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
from tercet.models.weight_import import entry_of

OLDEST_OPSET = 7
"""Of ONNX' own operators: what onnxruntime still reads."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What the user says of an ONNX file; the rest is read from it."""

    labels: Path
    accuracy_pct: float
    source: str
    normalisation: Normalisation = "symmetric"


def classifier(name: str, file: Path, directory: Path, facts: Facts) -> Manifest:
    """Take any ONNX classifier as a variant. Raises `ModelError` that names what does not fit."""
    row, names = variant(name), labels.read(facts.labels)
    if not 0 <= facts.accuracy_pct <= 100:
        raise ModelError(f"accuracy must be 0..100 percent, not {facts.accuracy_pct}")
    model = _checked(file)
    with model_directory.drafting(directory) as draft:
        path = draft / f"{name}.onnx"
        path.write_bytes(model.SerializeToString(deterministic=True))
        session = _tried(path, file, facts)
        labels.agree(file, session.classes, names)
        if session.classes < folders.FEWEST:
            raise ModelError(f"model file {file} has one output: there is nothing to tell apart")
        precision: Precision = "int8" if _is_quantised(model) else "fp32"
        if precision != row.precision:
            raise ModelError(
                f"model file {file} is {precision}, but {name} is the place of {row.precision}"
            )
        entry = entry_of(
            path,
            width=None,
            precision=precision,
            input_px=session.input_px,
            accuracy_pct=facts.accuracy_pct,
            accuracy_source=facts.source,
            labels=labels.write(draft, names),
            weights=f"brought by the user: {file.name}",
            normalisation=facts.normalisation,
            probabilities=_ends_in_softmax(model),
        )
        return model_directory.install(directory, draft, {name: entry})


def _checked(file: Path) -> onnx.ModelProto:
    """The model, whole and with its weights inside; `ModelError` when it is not well formed."""
    if not file.is_file():
        raise ModelError(f"model file {file} is {'no file' if file.exists() else 'missing'}")
    try:
        model = onnx.load(file)  # With weights that lie in files beside it.
        onnx.checker.check_model(model)
    except Exception as error:  # protobuf's, onnx', and OSError.
        raise ModelError(f"model file {file} is no whole ONNX model: {one_line(error)}") from error
    opset = next((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), 0)
    newest = onnx.defs.onnx_opset_version()
    if not OLDEST_OPSET <= opset <= newest:
        raise ModelError(
            f"model file {file}: opset {opset} is not in {OLDEST_OPSET}..{newest}: export it anew"
        )
    return model


def _tried(path: Path, file: Path, facts: Facts) -> Session:
    """Run it on a photograph, in which an error names the user's file."""
    try:
        session = Session(path)
    except ModelError as error:
        raise ModelError(str(error).replace(str(path), str(file))) from None
    picture = min(images.PHOTOGRAPHS.glob("*.jpg")).read_bytes()
    try:
        scores = session.run(images.decode(picture, session.input_px, facts.normalisation))
    except Exception as error:  # onnxruntime's, one per status.
        raise ModelError(f"model file {file} does not run: {one_line(error)}") from error
    if scores.shape != (1, session.classes) or not np.isfinite(scores).all():
        raise ModelError(f"model file {file}: no finite scores [1, classes] for a photograph")
    return session


def _is_quantised(model: onnx.ModelProto) -> bool:
    return any("Quantize" in node.op_type or "Integer" in node.op_type for node in model.graph.node)


def _ends_in_softmax(model: onnx.ModelProto) -> bool:
    last = model.graph.output[0].name
    return any(n.op_type == "Softmax" and last in n.output for n in model.graph.node)
