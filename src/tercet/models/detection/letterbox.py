"""A picture into the input of a detector, and its boxes back into the picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tercet.models.detection.boxes import Boxes

Resize = Literal["letterbox", "stretch"]
"""Keep the picture's proportions and fill up with grey, or stretch it to the input's size."""
GREY = 114
"""Of the bars beside a picture, as YOLO's training has them."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a picture lies within a model's input."""

    width: int
    height: int
    """Of the picture as sent, upright, pixels."""
    scale_x: float
    scale_y: float
    """Pixels of the input for one of the picture."""
    left: int
    top: int
    """Of the picture within the input, pixels."""

    def undone(self, boxes: Boxes) -> Boxes:
        """Boxes in pixels of the input as boxes in pixels of the picture, within its borders."""
        offset = np.array([self.left, self.top] * 2, dtype=np.float32)
        scale = np.array([self.scale_x, self.scale_y] * 2, dtype=np.float32)
        border = np.array([self.width, self.height] * 2, dtype=np.float32)
        return np.asarray(np.clip((boxes - offset) / scale, 0, border), dtype=np.float32)


def placed(
    image: Image.Image,
    picture: tuple[int, int],
    side: tuple[int, int],
    resize: Resize = "letterbox",
) -> tuple[NDArray[np.uint8], Placement]:
    """Resize an RGB `image` into an input of `side`: uint8 [height, width, 3].

    `picture` and `side` are width and height in pixels; `image` may be smaller than `picture`, as
    decoders reduce large ones.
    """
    width, height = inner_size(picture, side) if resize == "letterbox" else side
    left, top = (side[0] - width) // 2, (side[1] - height) // 2
    inner = image.resize((width, height), Image.Resampling.BILINEAR, reducing_gap=2.0)
    pixels = np.full((side[1], side[0], 3), GREY, dtype=np.uint8)
    pixels[top : top + height, left : left + width] = np.asarray(inner)
    scale = width / picture[0], height / picture[1]
    return pixels, Placement(*picture, *scale, left, top)


def inner_size(picture: tuple[int, int], side: tuple[int, int]) -> tuple[int, int]:
    """Width and height of the largest picture of these proportions within `side`."""
    scale = min(side[0] / picture[0], side[1] / picture[1])
    width, height = (max(1, round(length * scale)) for length in picture)
    return width, height
