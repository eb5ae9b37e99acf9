"""What a detector's outputs mean: from their names and shapes, and from a run on pictures.

What neither shows is asked for; what the user states is taken, and the run is checked against it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from tercet.models.detection.output_form import (
    NMS_IOU,
    ROW_OF_SIX,
    Column,
    DetectionOutput,
)
from tercet.models.detection.roles import Observed, OutputRoles, assigned, described
from tercet.models.errors import ModelError
from tercet.models.probabilities import are_distributions, are_within_bounds

Stated = Mapping[str, object]
"""Fields of `DetectionOutput` that the user states."""
SHARE_LIMIT = 2.0
"""Coordinates within are shares of the input; boxes may reach beyond its border."""
MAX_ROWS = 1_000
"""An output of objects has no more rows; one of candidates usually has thousands."""
OPENVINO_ROW: tuple[Column, ...] = (
    *("ignored", "class", "score"), *("x_min", "y_min", "x_max", "y_max"),
)  # fmt: skip
END_TO_END_ROW: tuple[Column, ...] = (
    *("ignored", "x_min", "y_min", "x_max", "y_max"), *("class", "score"),
)  # fmt: skip
"""The first column is the picture's number in the batch."""


def recognised(runs: Sequence[Observed], classes: int, stated: Stated) -> DetectionOutput:
    """The meaning of the outputs of `runs`, one per picture; `ModelError` asks for what is open."""
    runs = sorted(runs, key=lambda run: -sum(array.size for array in run.values()))
    found = None
    if len(runs[0]) > 1 and stated.get("kind") in (None, "parts"):
        found = _several(runs, classes, stated)
    if found is None:
        found = _single(runs, classes, stated)
    try:
        return DetectionOutput.model_validate({**found, **stated})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "outputs"
        raise ModelError(f"--detection {where}: {first['msg']}") from None


def _several(runs: Sequence[Observed], classes: int, stated: Stated) -> dict[str, object] | None:
    """Boxes and scores apart; None if no output has boxes of its own."""
    roles = assigned(runs[0], classes)
    if roles is None:
        return None
    boxes = _joined(runs, roles.boxes).reshape(-1, 4)
    found: dict[str, object] = {
        "kind": "parts", "boxes": roles.boxes, "scores": roles.scores,
        "classes": roles.classes, "count": roles.count, **_box_fields(boxes, stated),
    }  # fmt: skip
    tensorflow = roles.count is not None and roles.boxes.startswith("detection_boxes")
    if tensorflow:
        found |= {"box_order": "yxyx", "box_unit": "share"}
    found["resize"] = "stretch" if found["box_unit"] == "share" else "letterbox"
    scores = _joined(runs, roles.scores)
    if roles.classes is None:
        return {
            **found,
            **_score_fields(scores, classes, roles.scores),
            **_suppression(found, boxes),
        }
    background = "first" if tensorflow else stated.get("background")
    return {**found, "background": background or _background(runs, roles, classes)}


def _background(runs: Sequence[Observed], roles: OutputRoles, classes: int) -> str:
    """Whether classes are counted from 0 or, after a class `no object`, from 1."""
    numbers, scores = _joined(runs, roles.classes or ""), _joined(runs, roles.scores)
    seen = numbers.reshape(-1)[scores.reshape(-1) > 0]
    if len(seen) and seen.max() >= classes:
        return "first"
    if len(seen) and seen.min() == 0:
        return "none"
    raise ModelError(
        "classes may be counted from 0 or from 1: say --detection background=none or"
        " background=first"
    )


def _suppression(found: Mapping[str, object], boxes: NDArray[np.float32]) -> dict[str, object]:
    """Ours is left out for models that match objects one to one: a few boxes with logits (DETR)."""
    one_to_one = "logit" in str(found["scores"]) and len(boxes) <= MAX_ROWS
    return {} if one_to_one else {"nms_iou": NMS_IOU}


def _score_fields(scores: NDArray[np.float32], classes: int, name: str) -> dict[str, object]:
    """Of scores per class."""
    rows = scores.reshape(-1, scores.shape[-1])
    more = rows.shape[1] == classes + 1
    place = "last" if "logit" in name else "first"
    background = place if more else "none"
    if are_distributions(rows) or are_within_bounds(rows):
        return {"background": background}
    return {"background": background, "score_kind": "softmax" if more else "sigmoid"}


def _single(runs: Sequence[Observed], classes: int, stated: Stated) -> dict[str, object]:
    """One tensor that holds all."""
    name = str(stated["boxes"]) if "boxes" in stated else _fitting(runs[0], classes)
    if name not in runs[0]:
        raise ModelError(f"no output {name!r}: it has {described(runs[0])}")
    tensor = _joined(runs, name)
    only = {"boxes": name} if len(runs[0]) > 1 else {}
    kind = stated.get("kind") or _kind(tensor, runs[0][name].ndim, classes)
    if kind == "rows":
        return {**only, "kind": "rows", **_row_fields(tensor, runs[0][name].ndim, stated)}
    sizes = [size for size in runs[0][name].shape if size != 1]
    objectness = 5 + classes in sizes and 4 + classes not in sizes
    table = _table(runs, name, 4 + objectness + classes)
    boxes = _box_fields(table[:, :4], stated)
    scores = table[:, 4:]
    activation = {} if are_within_bounds(scores) else {"score_kind": "sigmoid"}
    fields = {"kind": "candidates", "objectness": objectness, "nms_iou": NMS_IOU}
    return {**only, **fields, **boxes, **activation}


def _fitting(observed: Observed, classes: int) -> str:
    """The one output, or the one of several whose shape fits."""
    if len(observed) == 1:
        return next(iter(observed))
    for name, array in observed.items():
        sizes = [size for size in array.shape if size != 1]
        if len(sizes) == 2 and {4 + classes, 5 + classes} & set(sizes):
            return name
    raise ModelError(
        f"outputs are {described(observed)}: none has boxes [..., 4], or {4 + classes} or"
        f" {5 + classes} values per box for {classes} labels: export it with decoded boxes"
    )


def _kind(tensor: NDArray[np.float32], rank: int, classes: int) -> str:
    """`rows` or `candidates`; `ModelError` asks where both are possible or neither is."""
    sizes = [size for size in tensor.shape[1:] if size != 1]
    width = tensor.shape[-1]
    candidates = len(sizes) == 2 and bool({4 + classes, 5 + classes} & set(sizes))
    rows = width in (6, 7) and tensor.size // width // len(tensor) <= MAX_ROWS
    if rows and candidates:
        numbers = tensor.reshape(-1, width)[:, _columns(width, rank).index("class")]
        rows = bool((numbers == np.rint(numbers)).all() and (numbers < classes).all())
        if rows and not numbers.any():
            raise ModelError(
                f"an output of {width} values: say --detection kind=rows or kind=candidates"
            )
        candidates = not rows
    if not (rows or candidates):
        raise ModelError(
            f"output {list(tensor.shape[1:]) if rank > 1 else [0]} has neither {4 + classes} nor"
            f" {5 + classes} values per box for {classes} labels, nor 6 or 7 per object"
        )
    return "rows" if rows else "candidates"


def _columns(width: int, rank: int) -> tuple[Column, ...]:
    """Of a row per object; OpenVINO's output has four dimensions."""
    if width == len(ROW_OF_SIX):
        return ROW_OF_SIX
    return OPENVINO_ROW if rank == 4 else END_TO_END_ROW


def _row_fields(tensor: NDArray[np.float32], rank: int, stated: Stated) -> dict[str, object]:
    table = tensor.reshape(-1, tensor.shape[-1])
    columns = _columns(table.shape[1], rank)
    first = columns.index("x_min")
    unit = _box_fields(table[:, first : first + 4], stated)["box_unit"]
    return {"columns": columns, "box_unit": unit}


def _box_fields(boxes: NDArray[np.float32], stated: Stated) -> dict[str, object]:
    """Order and unit; `ModelError` for boxes that are offsets to anchors or grid cells."""
    seen = boxes[np.isfinite(boxes).all(axis=1) & (np.ptp(boxes, axis=1) > 0)]
    if not len(seen):
        if "box_unit" not in stated:
            raise ModelError(
                "no trial picture showed an object: say --detection box_unit=pixels or"
                " box_unit=share"
            )
        return {"box_unit": stated["box_unit"]}
    corners = bool((seen[:, 2:] >= seen[:, :2]).all())
    if not corners and seen[:, 2:].min() < 0:
        raise ModelError("boxes have negative sizes: export it with decoded boxes, not offsets")
    return {"box_order": "xyxy" if corners else "cxcywh", "box_unit": _unit(seen)}


def _unit(boxes: NDArray[np.float32]) -> str:
    return "share" if boxes.size and float(np.abs(boxes).max()) <= SHARE_LIMIT else "pixels"


def _table(runs: Sequence[Observed], name: str, width: int) -> NDArray[np.float32]:
    """Candidates of all runs, [A, width]."""
    tables = []
    for run in runs:
        array = np.asarray(run[name], dtype=np.float32)
        flat = array.reshape([size for size in array.shape if size != 1])
        if flat.ndim != 2 or width not in flat.shape:
            raise ModelError(f"{width} values per box are expected, not {list(array.shape)}")
        tables.append(flat if flat.shape[1] == width else flat.T)
    return np.concatenate(tables)


def _joined(runs: Sequence[Observed], name: str) -> NDArray[np.float32]:
    """An output of all runs, one after the other: [runs, ...] or [rows of all, ...]."""
    arrays = [np.asarray(run[name], dtype=np.float32) for run in runs]
    if len({array.shape for array in arrays}) == 1:
        return np.stack([a.reshape(a.shape or (1,)) for a in arrays])
    if arrays[0].ndim < 2:
        return np.concatenate([a.reshape(-1) for a in arrays])
    return np.concatenate([a.reshape(-1, a.shape[-1]) for a in arrays])[np.newaxis]
