"""Measure mAP on a COCO-style folder, and write it to the manifest.

Pictures are sent and decoded as in the services. The measured figure becomes the variant's
accuracy, which the orchestrator uses for its decisions.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np

from tercet.models import images, model_directory
from tercet.models.detection import average_precision, coco_folder
from tercet.models.detection.average_precision import AveragePrecision
from tercet.models.detection.boxes import Detections
from tercet.models.detection.coco_folder import CocoFolder, LabelledPicture
from tercet.models.detection.task import Detection
from tercet.models.errors import ImageError, ModelError
from tercet.models.manifest import Manifest, load
from tercet.models.manifest_entry import MeasuredMap

MapMetric = Literal["mAP@0.5", "mAP@0.5:0.95"]
Progress = Callable[[int, int], None]
Results = list[dict[str, object]]


@dataclass(frozen=True, slots=True)
class MapEvaluation:
    """mAP of the variants on a labelled folder."""

    measured: Mapping[str, MeasuredMap]
    """By variant."""
    metric: MapMetric
    """Which figure became the accuracy."""
    skipped: Sequence[tuple[str, str]]
    """Files that were no usable picture, and the reason; they are not counted."""
    predictions: Mapping[str, Results]
    """By variant: its objects in COCO's format of results."""


def evaluate(
    directory: Path,
    data: Path,
    variants: Sequence[str] | None = None,
    metric: MapMetric | None = None,
    progress: Progress = lambda _done, _total: None,
) -> MapEvaluation:
    """Score variants (default: all) on the folder `data`, and write mAP to the manifest.

    `metric` becomes the accuracy (default: mAP@0.5:0.95). Raises `AssetError` naming file, folder
    or variant.
    """
    average_precision.check_installed()
    manifest = load(directory, variants)
    names = list(variants or manifest.variants)
    folder = coco_folder.read(data)
    chosen = metric or "mAP@0.5:0.95"
    found: dict[str, Results] = {}
    scored: dict[str, MeasuredMap] = {}
    skipped: list[tuple[str, str]] = []
    total = len(folder.pictures) * len(names)
    for number, name in enumerate(names):
        begun = partial(_advance, progress, number * len(folder.pictures), total)
        found[name], used, skipped = predicted(manifest, name, folder, begun)
        reached = average_precision.measured(folder.annotations, found[name], used)
        scored[name] = _measured(reached, folder, used)
    model_directory.update_entries(
        manifest, {name: _entry_update(one, chosen) for name, one in scored.items()}
    )
    return MapEvaluation(scored, chosen, skipped, found)


def _advance(progress: Progress, before: int, total: int, done: int) -> None:
    progress(before + done, total)


def predicted(
    manifest: Manifest, name: str, folder: CocoFolder, progress: Callable[[int], None]
) -> tuple[Results, list[int], list[tuple[str, str]]]:
    """Objects that a variant finds, the pictures it could use, and those it could not."""
    detector = Detection(manifest.path(name), manifest.entry(name), manifest.labels(name))
    categories = folder.categories(manifest.labels(name), name)
    rows: Results = []
    used: list[int] = []
    skipped: list[tuple[str, str]] = []

    def work(one: LabelledPicture) -> Detections | ImageError:
        try:
            return _objects(detector, one)
        except ImageError as error:
            return error

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for done, (one, found) in enumerate(
            zip(folder.pictures, pool.map(work, folder.pictures), strict=True), start=1
        ):
            progress(done)
            if isinstance(found, ImageError):
                skipped.append((one.path.name, str(found)))
                continue
            used.append(one.identity)
            rows += average_precision.results(one.identity, found, categories)
    if not used:
        raise ImageError(f"labelled folder: no usable picture ({skipped[0][0]}: {skipped[0][1]})")
    return rows, used, skipped


def _objects(detector: Detection, one: LabelledPicture) -> Detections:
    """Objects in pixels of the picture as its labels count them."""
    if not one.path.is_file():
        raise ImageError(f"not a usable picture: no file {one.path}")
    prepared = detector.prepared(images.sendable(one.path.read_bytes()))
    (found,) = detector.objects([prepared])
    sent = prepared.placement.width, prepared.placement.height
    width, height = one.size or images.upright_size(one.path.read_bytes())
    scale = np.array([width / sent[0], height / sent[1]] * 2, dtype=np.float32)
    return Detections(found.boxes * scale, found.scores, found.classes)


def _measured(reached: AveragePrecision, folder: CocoFolder, used: Sequence[int]) -> MeasuredMap:
    inside = set(used)
    objects = sum(one["image_id"] in inside for one in folder.annotations["annotations"])
    if not objects:
        raise ModelError("labelled folder: none of the usable pictures has an object")
    return MeasuredMap(
        data=folder.name,
        pictures=len(used),
        objects=objects,
        map50_pct=round(100 * reached.at_50, 2),
        map_pct=round(100 * reached.at_50_to_95, 2),
    )


def _entry_update(one: MeasuredMap, metric: MapMetric) -> dict[str, object]:
    """Fields of the manifest entry that a measurement changes."""
    return {
        "measured_map": one,
        "accuracy_pct": one.map50_pct if metric == "mAP@0.5" else one.map_pct,
        "metric": metric,
        "accuracy_source": f"measured: {metric} on {one.pictures} pictures of {one.data} with"
        f" {one.objects} objects",
    }
