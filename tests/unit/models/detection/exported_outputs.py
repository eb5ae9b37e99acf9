"""The same three objects as the outputs of detectors of many kinds, in an input of 320 by 256."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SIDE = (320, 256)
CLASSES = 3
BOXES = np.array([[10, 20, 110, 90], [200, 40, 260, 240], [30, 150, 90, 200]], np.float32)
SCORES = np.array([0.9, 0.75, 0.6], np.float32)
LABELS = np.array([2, 0, 1])

Outputs = dict[str, NDArray[np.generic]]


def centred(boxes: NDArray[np.float32] = BOXES) -> NDArray[np.float32]:
    low, high = boxes[:, :2], boxes[:, 2:]
    return np.concatenate([(low + high) / 2, high - low], axis=1)


def shares(boxes: NDArray[np.float32] = BOXES) -> NDArray[np.float32]:
    return boxes / np.array(SIDE * 2, np.float32)


def per_class(columns: int = CLASSES, first: int = 0) -> NDArray[np.float32]:
    """[3, columns]: the score at each object's class, little elsewhere."""
    scores = np.full((3, columns), 0.01, np.float32)
    scores[np.arange(3), LABELS + first] = SCORES
    return scores


def with_copies(table: NDArray[np.float32], scores_from: int) -> NDArray[np.float32]:
    """Each candidate three times, the copies shifted by two pixels and less likely."""
    copies = []
    for step, factor in ((0, 1.0), (2, 0.9), (-2, 0.8)):
        copy = table.copy()
        copy[:, :2] += step
        copy[:, scores_from:] *= factor
        copies.append(copy)
    noise = np.zeros((20, table.shape[1]), np.float32)
    noise[:, :4] = [160, 128, 16, 16]
    return np.concatenate([*copies, noise])


def logit(p: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.log(p / (1 - p)).astype(np.float32)


def yolo_v8() -> Outputs:
    table = with_copies(np.concatenate([centred(), per_class()], axis=1), 4)
    return {"output0": table.T[np.newaxis]}


def yolo_v5() -> Outputs:
    objectness = np.full((3, 1), 0.5, np.float32)
    table = np.concatenate([centred(), objectness, per_class() * 2], axis=1)
    table[:, 5:] = np.minimum(table[:, 5:], 1.0)
    table[:, 4] = SCORES / table[:, 5:].max(axis=1)
    return {"output": with_copies(table, 5)[np.newaxis]}


def yolo_v8_logits() -> Outputs:
    (table,) = yolo_v8().values()
    table = table.copy()
    table[:, 4:] = logit(np.clip(table[:, 4:], 1e-5, 1 - 1e-5))
    return {"output0": table}


def filled_up(rows: NDArray[np.float32], count: int = 10) -> NDArray[np.float32]:
    return np.concatenate([rows, np.zeros((count - len(rows), rows.shape[1]), np.float32)])


def yolo_v10() -> Outputs:
    rows = np.concatenate([BOXES, SCORES[:, None], LABELS[:, None]], axis=1).astype(np.float32)
    return {"output0": filled_up(rows)[np.newaxis]}


def yolo_v7_end_to_end() -> Outputs:
    zero = np.zeros((3, 1), np.float32)
    rows = np.concatenate([zero, BOXES, LABELS[:, None], SCORES[:, None]], axis=1)
    return {"output": rows.astype(np.float32)}


def openvino() -> Outputs:
    zero = np.zeros((3, 1), np.float32)
    rows = np.concatenate([zero, LABELS[:, None], SCORES[:, None], shares()], axis=1)
    return {"detection_out": filled_up(rows.astype(np.float32))[np.newaxis, np.newaxis]}


def tensorflow() -> Outputs:
    return {
        "detection_boxes": filled_up(shares()[:, [1, 0, 3, 2]])[np.newaxis],
        "detection_classes": np.pad((LABELS + 1).astype(np.float32), (0, 7))[np.newaxis],
        "detection_scores": np.pad(SCORES, (0, 7))[np.newaxis],
        "num_detections": np.array([3], np.float32),
    }


def torchvision() -> Outputs:
    return {"boxes": BOXES, "scores": SCORES, "labels": LABELS + 1}


def end_to_end_parts() -> Outputs:
    return {
        "num_dets": np.array([[3]], np.int32),
        "det_boxes": filled_up(BOXES)[np.newaxis],
        "det_scores": np.pad(SCORES, (0, 7))[np.newaxis],
        "det_classes": np.pad(LABELS.astype(np.int32), (0, 7))[np.newaxis],
    }


def ssd_without_nms() -> Outputs:
    scores = per_class(CLASSES + 1, first=1)
    scores[:, 0] += 1 - scores.sum(axis=1)
    boxes = np.concatenate([shares(), shares() + 0.01])
    return {"boxes": boxes[np.newaxis], "scores": np.concatenate([scores, scores])[np.newaxis]}


def ssd_logits() -> Outputs:
    outputs = ssd_without_nms()
    return {"boxes": outputs["boxes"], "confidence": np.log(outputs["scores"]) + 3.0}


def detr() -> Outputs:
    scores = logit(per_class())
    return {"pred_logits": scores[np.newaxis], "pred_boxes": shares(centred())[np.newaxis]}


KINDS = (
    *(yolo_v8, yolo_v5, yolo_v8_logits, yolo_v10, yolo_v7_end_to_end, openvino),
    *(tensorflow, end_to_end_parts, ssd_without_nms, ssd_logits, detr),
)
