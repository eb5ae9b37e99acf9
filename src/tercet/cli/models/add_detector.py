"""`tercet models add --task detection`: what it takes beside what classifiers take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

from tercet.cli.models.common import working
from tercet.cli.usage_error import UsageError
from tercet.models.detection.output_form import DetectionOutput
from tercet.models.normalisation import Normalisation
from tercet.models.tensor_form import TensorForm

if TYPE_CHECKING:
    from tercet.models.detector_import import Metric
    from tercet.models.manifest import Manifest

METRICS = ("mAP@0.5", "mAP@0.5:0.95")
NO_VALUE = "none"
"""Stands for an absent value, as of `nms_iou` where the model has its own suppression."""


def added(
    variant: str,
    file: Path,
    directory: Path,
    *,
    labels: Path,
    accuracy: float,
    source: str,
    metric: str | None,
    pixels: Normalisation | None,
    form: TensorForm,
    statements: Sequence[str],
) -> tuple[Manifest, str]:
    """Add a detector; the manifest, and in one line what was read. Raises UsageError."""
    if metric not in (None, *METRICS):
        raise UsageError(f"--metric {metric}: one of {', '.join(METRICS)}")
    if form.output_name is not None:
        raise UsageError("--output-name is for classifiers: say --detection boxes=NAME")
    stated = _stated(statements)
    from tercet.models import detector_import as work

    with working("adding") as progress:
        progress(variant, "check")
        description = work.DetectorDescription(
            labels, accuracy, source, cast("Metric", metric or METRICS[1]), pixels, form, stated
        )
        manifest = work.import_detector(variant, file, directory, description)
        entry = manifest.entry(variant)
    assert entry.detection is not None
    width = f"input {entry.layout} {entry.input_type}, {entry.input_px} pixels"
    return manifest, f"{width}; {work.summary(entry.detection)}"


def _stated(statements: Sequence[str]) -> Mapping[str, object]:
    """KEY=VALUE, also several with commas between them; UsageError names an unknown key."""
    found: dict[str, object] = {}
    for statement in statements:
        for one in statement.split(",") if "columns" not in statement else [statement]:
            key, equals, value = one.partition("=")
            key = key.strip().replace("-", "_")
            if not equals or key not in DetectionOutput.model_fields:
                known = ", ".join(DetectionOutput.model_fields)
                raise UsageError(f"--detection {one}: KEY=VALUE, with a key of {known}")
            found[key] = _value(key, value.strip())
    return found


def _value(key: str, text: str) -> object:
    if key == "columns":
        return tuple(text.replace(",", " ").split())
    return None if key == "nms_iou" and text == NO_VALUE else text
