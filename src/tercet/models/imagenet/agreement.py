"""How often an 8-bit form names the class that its float form names, on pictures new to both."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tercet.models import augment, images
from tercet.models.normalisation import Normalisation
from tercet.models.session import Session

COMPARED = Path(__file__).parent / "pictures" / "compare"
"""Pictures that calibration does not see; their authors are in `CREDITS.md` beside the folder."""
MIN_CROPS, MIN_PICTURES = 500, 20
SEED = 100
NORMAL_95 = 1.96
"""Two-sided 95 % quantile of the normal distribution."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """Shares of crops whose best class is the same."""

    share: float
    lower: float
    """Lower bound of the 95 % interval, whose unit is the picture: crops of one are alike."""
    crops: int
    pictures: int


def crops(input_px: int, normalisation: Normalisation) -> tuple[NDArray[np.float32], int]:
    """At least `MIN_CROPS` random views [N, 3, S, S] of the pictures, in turn; how many pictures.

    Raises `ImageError`.
    """
    pictures = images.load_pictures(COMPARED).pictures
    count = len(pictures) * math.ceil(MIN_CROPS / len(pictures))
    return augment.views(pictures, count, SEED, input_px, normalisation), len(pictures)


def best_classes(model: Path, views: NDArray[np.float32]) -> NDArray[np.intp]:
    """The best class of each view: [N]."""
    session = Session(model)
    return np.array([session.run(view[np.newaxis])[0].argmax() for view in views])


def agreement(same: Sequence[bool], pictures: int) -> Agreement:
    """Of views of the pictures in turn, by whether both forms name the same class.

    The bound is the lower one of two: of independent crops (Wilson), and of the means of pictures
    (normal), which is lower where some pictures are harder than others.
    """
    found = np.asarray(same, dtype=np.float64)
    share, count = float(found.mean()), len(found)
    means = np.array([found[start::pictures].mean() for start in range(pictures)])
    by_picture = share - NORMAL_95 * float(means.std(ddof=1)) / math.sqrt(pictures)
    return Agreement(share, max(0.0, min(_wilson(share, count), by_picture)), count, pictures)


def _wilson(share: float, count: int) -> float:
    """Lower bound of Wilson's 95 % interval of a share."""
    square = NORMAL_95**2
    spread = math.sqrt(share * (1 - share) / count + square / (4 * count**2))
    return (share + square / (2 * count) - NORMAL_95 * spread) / (1 + square / count)
