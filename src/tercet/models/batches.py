"""Training input: batches of picture indices, and a random view of each picture."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from tercet.models.images import CROP, normalised

MAX_ZOOM, MAX_ROTATION, MAX_SHIFT, MAX_BRIGHTNESS = 0.15, 0.12, 0.08, 0.25
"""Largest random change of a view: share, radians, share of the side, share."""


def batches(count: int, size: int, rng: np.random.Generator) -> Iterator[NDArray[np.int64]]:
    """Batches of all indices in random order, without a last batch of one: statistics need two."""
    order = rng.permutation(count)
    for first in range(0, count, size):
        if len(chosen := order[first : first + size]) > 1:
            yield np.sort(chosen)


def central(pictures: NDArray[np.uint8], input_px: int) -> Tensor:
    """Central crops of prepared pictures [N, side, side, 3]: [N, 3, input_px, input_px]."""
    edge = (pictures.shape[1] - input_px) // 2
    crops = pictures[:, edge : edge + input_px, edge : edge + input_px]
    return torch.from_numpy(normalised(np.ascontiguousarray(crops)))


def augmented(
    pictures: NDArray[np.uint8], input_px: int, flip: bool, rng: np.random.Generator
) -> Tensor:
    """A random view of each picture: zoomed, rotated, shifted, mirrored, brightness changed."""
    count = len(pictures)
    zoom = CROP * np.exp(rng.uniform(-MAX_ZOOM, MAX_ZOOM, count))
    angle = rng.uniform(-MAX_ROTATION, MAX_ROTATION, count)
    right, down = rng.uniform(-MAX_SHIFT, MAX_SHIFT, (2, count))
    mirror = np.where(rng.random(count) < 0.5, -1.0, 1.0) if flip else np.ones(count)
    cos, sin = zoom * np.cos(angle), zoom * np.sin(angle)
    views = np.stack([np.stack([mirror * cos, -sin, right], 1),
                      np.stack([mirror * sin, cos, down], 1)], axis=1)  # fmt: skip
    pixels = torch.from_numpy(normalised(pictures))
    grid = functional.affine_grid(
        torch.from_numpy(views.astype(np.float32)), [count, 3, input_px, input_px],
        align_corners=False,
    )  # fmt: skip
    sampled = functional.grid_sample(pixels, grid, padding_mode="border", align_corners=False)
    contrast, brightness = (
        rng.uniform(-MAX_BRIGHTNESS, MAX_BRIGHTNESS, (count, 1, 1, 1)) for _ in range(2)
    )
    changed = sampled * torch.from_numpy(1 + contrast) + torch.from_numpy(brightness)
    return changed.float().clamp(-1.0, 1.0).contiguous(memory_format=torch.channels_last)
