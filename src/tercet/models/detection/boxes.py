"""Objects found in one picture: boxes, scores and classes as arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Boxes = NDArray[np.float32]
"""[n, 4]: x_min, y_min, x_max, y_max, pixels."""


@dataclass(frozen=True, slots=True)
class Detections:
    """Objects of one picture."""

    boxes: Boxes
    scores: NDArray[np.float32]
    """[n], 0..1."""
    classes: NDArray[np.int64]
    """[n], position of each object's class in the labels."""

    def __len__(self) -> int:
        return len(self.scores)

    def chosen(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> Detections:
        """Those of the objects, by number or by a mask."""
        return Detections(self.boxes[rows], self.scores[rows], self.classes[rows])

    def best(self, count: int, least: float = 0.0) -> Detections:
        """At most `count` objects with a score of `least` or more, highest first."""
        order = np.argsort(-self.scores, kind="stable")[:count]
        return self.chosen(order[self.scores[order] >= least])

    def valid(self, classes: int) -> Detections:
        """Without those that are no boxes or scores, or of no known class.

        Models fill up their fixed number of rows with zeros, -1 or NaN.
        """
        sides = self.boxes[:, 2:] - self.boxes[:, :2]
        finite = np.isfinite(self.boxes).all(axis=1) & np.isfinite(self.scores)
        known = (self.classes >= 0) & (self.classes < classes)
        return self.chosen(finite & known & (self.scores > 0) & (sides > 0).all(axis=1))


def empty() -> Detections:
    """No object."""
    return Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64))


def intersection_over_union(one: Boxes, others: Boxes) -> NDArray[np.float32]:
    """Overlap of one box [4] with others [n, 4]: shared area over joint area, [n]."""
    low = np.maximum(one[:2], others[:, :2])
    high = np.minimum(one[2:], others[:, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=1)
    joint = (one[2:] - one[:2]).prod() + (others[:, 2:] - others[:, :2]).prod(axis=1) - shared
    return np.asarray(shared / np.maximum(joint, np.finfo(np.float32).tiny), dtype=np.float32)
