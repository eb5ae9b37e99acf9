"""Non-maximum suppression: of boxes of one class that overlap, the one with the best score."""

from __future__ import annotations

import numpy as np

from tercet.models.detection.boxes import Detections, intersection_over_union

MAX_CANDIDATES = 3_000
"""The best of so many are compared; a picture with more gives the same objects many times."""
MAX_OBJECTS = 300


def suppressed(found: Detections, iou: float, count: int = MAX_OBJECTS) -> Detections:
    """The best box of each group of one class that overlap by more than `iou`, highest first.

    Greedy, as usual: a box is dropped if it overlaps a better one that was kept.
    """
    found = found.best(MAX_CANDIDATES)
    kept: list[int] = []
    open_rows = np.arange(len(found))
    while len(open_rows) and len(kept) < count:
        best, others = open_rows[0], open_rows[1:]
        kept.append(int(best))
        overlap = intersection_over_union(found.boxes[best], found.boxes[others])
        same = found.classes[others] == found.classes[best]
        open_rows = others[~(same & (overlap > iou))]
    return found.chosen(np.array(kept, dtype=np.int64))
