"""Boxes in pixels of the picture that an application sent, which may have been sent on smaller."""

from __future__ import annotations

from tercet.schemas.classification import Classification
from tercet.schemas.fleet import Box, PictureSize


def in_original(
    answer: Classification | None, original: tuple[int, int] | None
) -> tuple[tuple[Box, ...], PictureSize | None]:
    """The boxes of an answer, and the size of the picture that they refer to.

    `original` is the width and height of the picture as the application sent it; None: the same.
    """
    if answer is None or answer.picture is None:
        return (), None
    if original is None:
        return answer.boxes, answer.picture
    size = PictureSize(width=original[0], height=original[1])
    x, y = size.width / answer.picture.width, size.height / answer.picture.height
    return tuple(_scaled(box, x, y) for box in answer.boxes), size


def _scaled(box: Box, x: float, y: float) -> Box:
    edges = {"x_min": box.x_min * x, "y_min": box.y_min * y}
    return box.model_copy(update={**edges, "x_max": box.x_max * x, "y_max": box.y_max * y})
