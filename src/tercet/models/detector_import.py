"""Import an ONNX detector of the user into a model directory, as a variant of a family.

One file with an open height and width gives several variants, one per size. All checks come before
any change of the directory: pictures are run, and what the outputs mean is recognised or asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import onnx
from numpy.typing import NDArray

from tercet.models import images, labels, model_directory, onnx_file, onnx_inspection
from tercet.models.detection.letterbox import placed
from tercet.models.detection.output_form import DetectionOutput
from tercet.models.detection.recognition import Stated, recognised
from tercet.models.detection.session import DetectorSession
from tercet.models.detection.task import Detection
from tercet.models.errors import ModelError
from tercet.models.manifest import Entry, Manifest, check_accuracy, check_name
from tercet.models.normalisation import Normalisation
from tercet.models.onnx_import import million_macs
from tercet.models.tensor_form import TensorForm
from tercet.models.weight_import import model_entry

Metric = Literal["mAP@0.5", "mAP@0.5:0.95"]


@dataclass(frozen=True, slots=True)
class DetectorDescription:
    """What the user states about an ONNX file; the rest is read from it."""

    labels: Path
    accuracy_pct: float
    source: str
    """Whose figure the accuracy is."""
    metric: Metric = "mAP@0.5:0.95"
    normalisation: Normalisation | None = None
    """None: raw for uint8 input, else unit."""
    form: TensorForm = field(default_factory=TensorForm)
    """What the file leaves open: layout, size."""
    stated: Stated = field(default_factory=dict)
    """Fields of `DetectionOutput`; the others are recognised."""


def import_detector(
    name: str, file: Path, directory: Path, description: DetectorDescription
) -> Manifest:
    """Import a detector as a variant. Raises `ModelError` that names what does not fit."""
    check_name(name)
    names = labels.read(description.labels)
    check_accuracy(description.accuracy_pct)
    model = onnx_file.read(file)
    with model_directory.drafting(directory) as draft:
        path = draft / f"{name}.onnx"
        path.write_bytes(model.SerializeToString(deterministic=True))
        try:
            found = _examined(path, model, len(names), description)
            entry = model_entry(
                path,
                precision=onnx_inspection.precision(model),
                labels=labels.write(draft, names),
                weights=f"brought by the user: {file.name}",
                accuracy_pct=description.accuracy_pct,
                accuracy_source=description.source,
                metric=description.metric,
                output="boxes",
                **found,
            )
            entry = _checked_batches(path, entry, names)
        except ModelError as error:
            raise ModelError(str(error).replace(str(path), str(file))) from None
        return model_directory.install(directory, draft, {name: entry}, task="detection")


def _examined(
    path: Path, model: onnx.ModelProto, classes: int, description: DetectorDescription
) -> dict[str, object]:
    """Fields of the manifest entry that the file and a run on pictures show."""
    session = DetectorSession(path, form=description.form)
    scaling = description.normalisation or "unit"
    if session.input.type == "uint8":
        if description.normalisation not in (None, "raw"):
            raise ModelError(f"model file {path} takes uint8 pixels: leave the normalisation out")
        scaling = "raw"
    runs = [session.run(pixels) for pixels in _pictures(session.input.size, scaling)]
    try:
        form = recognised(runs, classes, description.stated)
    except ModelError as error:
        raise ModelError(f"model file {path}: {error}") from None
    return {
        "input_px": session.input.px,
        "layout": session.input.layout,
        "input_type": session.input.type,
        "normalisation": scaling,
        "detection": form,
        "batches": session.input.can_batch,
        "million_macs": million_macs(model, session.input),
    }


def _pictures(size: tuple[int, int], scaling: Normalisation) -> Iterator[NDArray[np.float32]]:
    """Photographs and noise as input, [1, 3, height, width] each."""
    for picture in images.load_pictures().pictures:
        image, whole = images.upright(picture.jpeg, max(size))
        yield images.normalised(placed(image, whole, size)[0][np.newaxis], scaling)
    noise = np.random.default_rng(0).integers(0, 256, (1, size[1], size[0], 3), dtype=np.uint8)
    yield images.normalised(noise, scaling)


def _checked_batches(path: Path, entry: Entry, names: tuple[str, ...]) -> Entry:
    """The entry, without batches where a picture in a batch gives other objects than alone."""
    detector = Detection(path, entry, names)
    if not detector.can_batch:
        return entry
    inputs = [detector.prepared(one.jpeg) for one in images.load_pictures().pictures[:2]]
    inputs = inputs * (3 - len(inputs))
    try:
        together = detector.answered(inputs)
        alone = [detector.answered([one])[0] for one in inputs]
    except (ModelError, IndexError, ValueError):  # A batch dimension in name only.
        return entry.model_copy(update={"batches": False})
    same = all(len(a.boxes) == len(b.boxes) for a, b in zip(together, alone, strict=True))
    return entry.model_copy(update={"batches": same})


def summary(form: DetectionOutput) -> str:
    """What was recognised or stated, in one line."""
    fields: Mapping[str, object] = form.model_dump(exclude_defaults=True, exclude={"kind"})
    listed = ", ".join(f"{key}={_text(value)}" for key, value in fields.items())
    return f"output {form.kind}" + f" ({listed})" * bool(listed)


def _text(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, tuple | list) else str(value)
