"""What a network in training is shown: batches, and a random view of each picture."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from tercet.models.images import CROP, normalised

ZOOM, TURN, SHIFT, LIGHT = 0.15, 0.12, 0.08, 0.25
"""How far a view may be zoomed (share), turned (radians), moved (share), lit (share)."""


def batches(count: int, size: int, rng: np.random.Generator) -> Iterator[NDArray[np.int64]]:
    """Every picture once, in random order; a last one alone is left out (statistics need two)."""
    order = rng.permutation(count)
    for first in range(0, count, size):
        if len(chosen := order[first : first + size]) > 1:
            yield np.sort(chosen)


def central(pictures: NDArray[np.uint8], input_px: int) -> Tensor:
    """The middle of each prepared picture [N, side, side, 3]: [N, 3, input_px, input_px]."""
    edge = (pictures.shape[1] - input_px) // 2
    inside = pictures[:, edge : edge + input_px, edge : edge + input_px]
    return torch.from_numpy(normalised(np.ascontiguousarray(inside)))


def augmented(
    pictures: NDArray[np.uint8], input_px: int, flip: bool, rng: np.random.Generator
) -> Tensor:
    """A random view of each picture: zoomed, turned, moved, mirrored, lit otherwise."""
    count = len(pictures)
    zoom = CROP * np.exp(rng.uniform(-ZOOM, ZOOM, count))
    turn, (right, down) = rng.uniform(-TURN, TURN, count), rng.uniform(-SHIFT, SHIFT, (2, count))
    mirror = np.where(rng.random(count) < 0.5, -1.0, 1.0) if flip else np.ones(count)
    cos, sin = zoom * np.cos(turn), zoom * np.sin(turn)
    views = np.stack([np.stack([mirror * cos, -sin, right], 1),
                      np.stack([mirror * sin, cos, down], 1)], axis=1)  # fmt: skip
    pixels = torch.from_numpy(normalised(pictures))
    grid = functional.affine_grid(
        torch.from_numpy(views.astype(np.float32)), [count, 3, input_px, input_px],
        align_corners=False,
    )  # fmt: skip
    seen = functional.grid_sample(pixels, grid, padding_mode="border", align_corners=False)
    contrast, light = (rng.uniform(-LIGHT, LIGHT, (count, 1, 1, 1)) for _ in range(2))
    lit = seen * torch.from_numpy(1 + contrast) + torch.from_numpy(light)
    return lit.float().clamp(-1.0, 1.0).contiguous(memory_format=torch.channels_last)
