"""Import an ONNX classifier of the user into a model directory, as a variant of any name.

All checks come before any change of the directory: the file is a model that onnxruntime opens, the
numbers of labels and outputs agree, and pictures can be classified.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import onnx

from tercet.models import (
    folders,
    graph,
    labels,
    model_directory,
    observed_output,
    onnx_file,
    onnx_inspection,
    output_kind,
)
from tercet.models.errors import ModelError
from tercet.models.manifest import Entry, Manifest, Metric, check_accuracy, check_name
from tercet.models.normalisation import Normalisation
from tercet.models.observed_output import ObservedOutput
from tercet.models.output_kind import OutputKind
from tercet.models.session import Session
from tercet.models.tensor_form import COLOURS, ModelInput, TensorForm
from tercet.models.weight_import import model_entry


@dataclass(frozen=True, slots=True)
class ModelDescription:
    """What the user states about an ONNX file; the rest is read from it."""

    labels: Path
    accuracy_pct: float
    source: str
    """Whose figure the accuracy is."""
    normalisation: Normalisation | None = None
    """None: raw for uint8 input, else symmetric."""
    form: TensorForm = field(default_factory=TensorForm)
    """What the file leaves open: layout, size, which output."""
    output: OutputKind | None = None
    """None: recognised."""
    metric: Metric | None = None
    """What the accuracy counts; None: not stated."""


def import_classifier(
    name: str, file: Path, directory: Path, description: ModelDescription
) -> Manifest:
    """Import an ONNX classifier as a variant. Raises `ModelError` that names what does not fit."""
    check_name(name)
    names = labels.read(description.labels)
    check_accuracy(description.accuracy_pct)
    model = onnx_file.read(file)
    with model_directory.drafting(directory) as draft:
        path = draft / f"{name}.onnx"
        path.write_bytes(model.SerializeToString(deterministic=True))
        session = _open(path, file, description.form)
        normalisation = _normalisation(file, session, description)
        observed = observed_output.run(session, file, normalisation)
        _check_classes(file, session, names)
        entry = model_entry(
            path,
            precision=onnx_inspection.precision(model),
            labels=labels.write(draft, names),
            weights=f"brought by the user: {file.name}",
            normalisation=normalisation,
            output=_output(file, model, session, observed, description.output),
            batches=observed.agrees_in_a_batch(session),
            million_macs=million_macs(model, session.input),
            **_stated_fields(description),
            **_input_fields(session),
        )
        return model_directory.install(directory, draft, {name: entry})


def _stated_fields(description: ModelDescription) -> dict[str, object]:
    """Fields of the manifest entry that the user states."""
    return {
        "width": None,
        "accuracy_pct": description.accuracy_pct,
        "metric": description.metric,
        "accuracy_source": description.source,
        "output_name": description.form.output_name,
    }


def summary(entry: Entry) -> str:
    """What was read from a file or stated about it, in one line."""
    scaling = entry.normalisation if isinstance(entry.normalisation, str) else "as given"
    return (
        f"input {entry.layout} {entry.input_type}, {entry.input_px} pixels, normalisation"
        f" {scaling}; output {entry.output_name or ''} {entry.output}".replace("  ", " ")
    )


def _input_fields(session: Session) -> dict[str, object]:
    found = session.input
    return {"layout": found.layout, "input_type": found.type, "input_px": found.px}


def _open(path: Path, file: Path, form: TensorForm) -> Session:
    """Open the copy at `path`; errors name the user's `file`."""
    try:
        return Session(path, form=form)
    except ModelError as error:
        raise ModelError(str(error).replace(str(path), str(file))) from None


def _normalisation(file: Path, session: Session, description: ModelDescription) -> Normalisation:
    """The one stated; a model with uint8 input normalises by itself."""
    stated = description.normalisation
    if session.input.type != "uint8":
        return stated or "symmetric"
    if stated not in (None, "raw"):
        raise ModelError(
            f"model file {file} takes uint8 pixels, 0 to 255 as they are: leave the normalisation"
            " out"
        )
    return "raw"


def _check_classes(file: Path, session: Session, names: Sequence[str]) -> None:
    labels.check_count(file, session.classes, names)
    if session.classes < folders.MIN_CLASSES:
        raise ModelError(f"model file {file} has one output: a classifier needs two")


def _output(
    file: Path,
    model: onnx.ModelProto,
    session: Session,
    observed: ObservedOutput,
    stated: OutputKind | None,
) -> OutputKind:
    activation = onnx_inspection.final_activation(model, session.output_name)
    try:
        found = output_kind.are_probabilities(observed.outputs, activation, stated)
    except ModelError as error:
        raise ModelError(f"model file {file}: {error}") from None
    return "probabilities" if found else "logits"


def million_macs(model: onnx.ModelProto, given: ModelInput) -> float | None:
    """Counted from the graph at the size in use; None where that is not possible."""
    sized = onnx.ModelProto()
    sized.CopyFrom(model)
    (tensor,) = (one for one in sized.graph.input if one.name == given.name)
    width, height = given.size
    picture = [COLOURS, height, width] if given.layout == "NCHW" else [height, width, COLOURS]
    kind = tensor.type.tensor_type.elem_type
    tensor.CopyFrom(onnx.helper.make_tensor_value_info(tensor.name, kind, [1, *picture]))
    del sized.graph.value_info[:]  # Their dynamic sizes would contradict.
    try:
        return round(graph.multiply_accumulates(sized) / 1e6, 1) or None
    except Exception:  # A foreign graph: onnx raises many classes, and none matters here.
        return None
