"""The outputs of a detector, for one picture, as boxes in pixels of its input."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from tercet.models.detection.boxes import Boxes, Detections
from tercet.models.detection.output_form import DetectionOutput, Scores
from tercet.models.detection.suppression import MAX_OBJECTS, suppressed
from tercet.models.errors import ModelError
from tercet.models.probabilities import softmax

Tensor = NDArray[np.float32]
Outputs = Mapping[str, Tensor]
"""Of one picture, without the batch dimension, by name."""
MIN_SCORE = 1e-3
"""Candidates below are no objects for anybody, and evaluation needs those above."""


def decoded(
    outputs: Outputs, form: DetectionOutput, classes: int, side: tuple[int, int]
) -> Detections:
    """Objects, highest score first; boxes in pixels of the input, whose width and height is `side`.

    `classes` is the number of labels. `ModelError` where the outputs do not fit the form.
    """
    decode = {"candidates": _candidates, "rows": _rows, "parts": _parts}[form.kind]
    found = decode(outputs, form, classes)
    unit = np.array(side * 2 if form.box_unit == "share" else (1, 1) * 2, dtype=np.float32)
    found = Detections(_corners(found.boxes, form) * unit, found.scores, found.classes)
    found = found.valid(classes)
    found = found.chosen(found.scores >= MIN_SCORE)
    if form.nms_iou is None:
        return found.best(MAX_OBJECTS)
    return suppressed(found, form.nms_iou)


def _corners(boxes: Boxes, form: DetectionOutput) -> Boxes:
    if form.box_order == "yxyx":
        return boxes[:, [1, 0, 3, 2]]
    if form.box_order == "cxcywh":
        half = boxes[:, 2:] / 2
        return np.concatenate([boxes[:, :2] - half, boxes[:, :2] + half], axis=1)
    return boxes


def _candidates(outputs: Outputs, form: DetectionOutput, classes: int) -> Detections:
    """One tensor [A, 4 + objectness + classes], or its transpose."""
    tensor = _only(outputs, form.boxes)
    width = 4 + form.objectness + classes + (form.background != "none")
    tensor = tensor.reshape([size for size in tensor.shape if size != 1] or [1])
    if tensor.ndim == 1:  # One candidate, or one column.
        tensor = tensor.reshape(-1, width) if tensor.size % width == 0 else tensor[:, np.newaxis]
    if tensor.ndim != 2 or width not in tensor.shape:
        raise ModelError(f"an output of {width} values per box is expected, not {tensor.shape}")
    table = tensor if tensor.shape[1] == width else tensor.T
    scores = _probabilities(table[:, 4 + form.objectness :], form.score_kind)
    if form.objectness:
        scores = scores * _probabilities(table[:, 4:5], form.score_kind)
    return _best_class(table[:, :4], scores, form)


def _rows(outputs: Outputs, form: DetectionOutput, classes: int) -> Detections:
    """One tensor [..., rows, columns], in which every row is an object."""
    tensor = _only(outputs, form.boxes)
    if tensor.ndim == 0 or tensor.shape[-1] != len(form.columns):
        raise ModelError(f"rows of {len(form.columns)} values are expected, not {tensor.shape}")
    table = tensor.reshape(-1, len(form.columns))
    column = {name: table[:, number] for number, name in enumerate(form.columns)}
    corners = [column[name] for name in ("x_min", "y_min", "x_max", "y_max")]
    return Detections(np.stack(corners, 1), column["score"], _class_numbers(column["class"], form))


def _parts(outputs: Outputs, form: DetectionOutput, classes: int) -> Detections:
    """Boxes [A, 4], scores [A, classes]; or scores [A] and classes [A], and how many are used."""
    boxes = _named(outputs, form.boxes).reshape(-1, 4)
    scores = _named(outputs, form.scores)
    if form.classes is None:
        columns = classes + (form.background != "none")
        if scores.size != len(boxes) * columns:
            raise ModelError(f"scores [{len(boxes)}, {columns}] are expected, not {scores.shape}")
        likely = _probabilities(scores.reshape(len(boxes), columns), form.score_kind)
        return _best_class(boxes, likely, form)
    numbers = _named(outputs, form.classes).reshape(-1)
    scores = _probabilities(scores.reshape(1, -1), form.score_kind)[0]
    if not len(boxes) == len(scores) == len(numbers):
        raise ModelError(f"{len(boxes)} boxes, {len(scores)} scores and {len(numbers)} classes")
    used = len(boxes)
    if form.count is not None:
        used = int(np.clip(_named(outputs, form.count).reshape(-1)[0], 0, used))
    return Detections(boxes[:used], scores[:used], _class_numbers(numbers[:used], form))


def _best_class(boxes: Boxes, scores: Tensor, form: DetectionOutput) -> Detections:
    """Each candidate as the likeliest of its classes, where `no object` is left out."""
    if form.background != "none":
        scores = scores[:, 1:] if form.background == "first" else scores[:, :-1]
    likely = scores.argmax(axis=1) if len(scores) else np.zeros(0, np.int64)
    return Detections(boxes, scores[np.arange(len(scores)), likely], likely.astype(np.int64))


def _class_numbers(numbers: Tensor, form: DetectionOutput) -> NDArray[np.int64]:
    """Positions in the labels; -1 for what is no number of a class."""
    whole = np.rint(np.where(np.isfinite(numbers), numbers, -1)).astype(np.int64)
    return whole - (form.background == "first")


def _probabilities(scores: Tensor, kind: Scores) -> Tensor:
    """Scores [A, columns] as probabilities."""
    if kind == "softmax":
        return softmax(scores).astype(np.float32)
    if kind == "sigmoid":
        return np.asarray(1 / (1 + np.exp(-np.clip(scores, -80, 80))), dtype=np.float32)
    return scores


def _only(outputs: Outputs, name: str | None) -> Tensor:
    return next(iter(outputs.values())) if name is None else _named(outputs, name)


def _named(outputs: Outputs, name: str | None) -> Tensor:
    if name is None or name not in outputs:
        raise ModelError(f"no output {name!r}: there are {', '.join(outputs)}")
    return outputs[name]
