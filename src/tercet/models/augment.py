"""Random views of few pictures: crops, flips, brightness; for statistics and calibration."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance

from tercet.models.images import Picture, to_input
from tercet.models.normalisation import Normalisation
from tercet.models.variants import INPUT_PX

MIN_CROP = 0.5
"""Least side of a crop, as a share of the picture's shorter side."""
BRIGHTNESS = (0.6, 1.4)
"""Range of the brightness factor."""


def views(
    pictures: Sequence[Picture],
    count: int,
    seed: int,
    input_px: int = INPUT_PX,
    normalisation: Normalisation = "symmetric",
) -> NDArray[np.float32]:
    """`count` random views of the pictures in turn: float32 [count, 3, input_px, input_px]."""
    rng = np.random.default_rng(seed)
    images = [Image.open(io.BytesIO(picture.jpeg)).convert("RGB") for picture in pictures]
    drawn = (_view(images[i % len(images)], rng) for i in range(count))
    return np.concatenate([to_input(view, input_px, normalisation) for view in drawn])


def _view(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    side = int(min(image.size) * rng.uniform(MIN_CROP, 1.0))
    left = int(rng.integers(0, image.width - side + 1))
    top = int(rng.integers(0, image.height - side + 1))
    view = image.crop((left, top, left + side, top + side))
    if rng.random() < 0.5:
        view = view.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return ImageEnhance.Brightness(view).enhance(float(rng.uniform(*BRIGHTNESS)))
