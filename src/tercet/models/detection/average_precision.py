"""Mean average precision, as pycocotools counts it."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Any, NamedTuple

from tercet.models.detection.boxes import Detections
from tercet.models.detection.coco_folder import Annotations
from tercet.models.errors import ModelError

MAX_DETECTIONS = 100
"""Objects that count in one picture, as in COCO's own figures."""


class AveragePrecision(NamedTuple):
    """Shares of one."""

    at_50: float
    """At an overlap (IoU) of 0.5."""
    at_50_to_95: float
    """Mean over overlaps of 0.5, 0.55, … 0.95."""


def check_installed() -> None:
    """Raise `ModelError` unless pycocotools can be imported."""
    if find_spec("pycocotools") is None:
        raise ModelError("mAP needs pycocotools: pip install 'tercet[detection]'")


def results(
    picture: int, found: Detections, categories: Mapping[int, int]
) -> list[dict[str, object]]:
    """Objects of one picture in COCO's format of results; those of no category are left out."""
    rows = []
    best = found.best(MAX_DETECTIONS)
    for (x0, y0, x1, y1), score, label in zip(
        best.boxes.tolist(), best.scores.tolist(), best.classes.tolist(), strict=True
    ):
        if label in categories:
            box = [x0, y0, x1 - x0, y1 - y0]
            category = categories[label]
            rows.append({"image_id": picture, "category_id": category, "bbox": box, "score": score})
    return rows


def measured(
    annotations: Annotations, found: Sequence[Mapping[str, object]], pictures: Sequence[int]
) -> AveragePrecision:
    """mAP of results in COCO's format, on these pictures. Raises `ModelError` without objects."""
    if not found:
        return AveragePrecision(0.0, 0.0)
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    with contextlib.redirect_stdout(io.StringIO()):  # It prints its progress.
        truth: Any = COCO()
        truth.dataset = annotations
        truth.createIndex()
        counted = COCOeval(truth, truth.loadRes([dict(one) for one in found]), "bbox")
        counted.params.imgIds = sorted(pictures)
        counted.evaluate()
        counted.accumulate()
        counted.summarize()
    mean, at_50 = (float(value) for value in counted.stats[:2])
    if mean < 0:
        raise ModelError("labelled folder: none of the usable pictures has an object")
    return AveragePrecision(at_50, mean)
