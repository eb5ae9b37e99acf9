"""The standard normal distribution, without scipy."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def normal_distribution(z: Floats) -> Floats:
    """P(standard normal < z), any shape, within 1e-7 (Abramowitz and Stegun, 26.2.17)."""
    t = 1.0 / (1.0 + 0.2316419 * np.abs(z))
    series = t * (
        0.319381530 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429)))
    )
    tail = np.exp(-0.5 * z**2) / math.sqrt(2.0 * math.pi) * series
    return np.where(z < 0.0, tail, 1.0 - tail)
