"""How much a request costs on average, over the body of its distribution: stragglers and spread.

The body is learned on a logarithm, robustly; what is paid is the mean in milliseconds. Their ratio
is estimated for each place and load: a part within the body, and stragglers, whose frequency is the
place's and whose size is pooled over all places.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tercet.rl.costs.encoding import KNOTS

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

BUCKETS = len(KNOTS) + 1

COMMON_RATE, COMMON_COUNT = 0.02, 20.0
"""Share of stragglers before any was seen, and the requests that this is worth."""
PLACE_COUNT, LOAD_COUNT = 10.0, 10.0
"""Requests of a place, and of a place under one load, from which it is half its own."""
COMMON_SIZE, SIZE_COUNT = 5.0, 4.0
"""Ratio of a straggler to the body before any was seen, and the stragglers that this is worth."""
PLACE_SIZE_COUNT = 6.0


@dataclass(frozen=True, slots=True)
class Residual:
    """What was measured and expected, per label [N]: body, stragglers and their counts."""

    place: Integers
    bucket: Integers
    service: Floats
    """Expected milliseconds of service..."""
    network: Floats
    """...and of what else is in the label."""
    seen: Floats
    """Requests in the body, their sum in milliseconds..."""
    body: Floats
    late: Floats
    """...and the same of the stragglers."""
    late_sum: Floats


@dataclass(frozen=True)
class Ratios:
    """Mean cost over body of the service part, [places, buckets]."""

    ratio: Floats = field(default_factory=lambda: np.ones((0, BUCKETS)))
    common: float = 1.0
    """Where nothing was measured."""

    def of(self, place: Integers, bucket: Integers) -> Floats:
        """Ratio at places and buckets of any common shape."""
        if not len(self.ratio):
            return np.full(np.broadcast(place, bucket).shape, self.common)
        known = place < len(self.ratio)
        found = self.ratio[np.minimum(place, len(self.ratio) - 1), bucket]
        return np.where(known, found, self.common)


def ratios_of(seen: Residual, places: int, noise: float) -> Ratios:
    """Estimate all ratios; `noise` is the variance of the body's logarithm."""
    base = float(np.exp(min(noise, 1.0) / 2))
    expected = np.maximum(seen.service, 1e-9)
    size = np.maximum(seen.late_sum - seen.late * seen.network, 0.0) / expected
    late, count = float(seen.late.sum()), float((seen.late + seen.seen).sum())
    rate = (COMMON_COUNT * COMMON_RATE + late) / (COMMON_COUNT + count)
    common_size = (SIZE_COUNT * COMMON_SIZE + float(size.sum())) / (SIZE_COUNT + late)
    straggling = _rates(seen, places, rate)
    mean_size = _sizes(seen, places, size, common_size)[:, None]
    ratio = (1.0 - straggling) * _bodies(seen, places, base) + straggling * mean_size
    return Ratios(ratio, (1.0 - rate) * base + rate * common_size)


def _rates(seen: Residual, places: int, rate: float) -> Floats:
    """Share of stragglers at each place and load, [places, buckets]; `rate` is that of all."""
    late, body = (np.bincount(seen.place, x, places) for x in (seen.late, seen.seen))
    of_place = (PLACE_COUNT * rate + late) / (PLACE_COUNT + late + body)
    at_load, others = _per_load(seen, places, seen.late), _per_load(seen, places, seen.seen)
    found: Floats = (LOAD_COUNT * of_place[:, None] + at_load) / (LOAD_COUNT + at_load + others)
    return found


def _sizes(seen: Residual, places: int, size: Floats, common: float) -> Floats:
    """Mean ratio of a straggler to the body at each place, [places]; `size` [N] are sums of it."""
    late = np.bincount(seen.place, seen.late, places)
    total = PLACE_SIZE_COUNT * common + np.bincount(seen.place, size, places)
    found: Floats = total / (PLACE_SIZE_COUNT + late)
    return found


def _bodies(seen: Residual, places: int, base: float) -> Floats:
    """Mean over expectation within the body, [places, buckets]; `base` where nothing is known."""
    within = np.maximum(seen.body - seen.seen * seen.network, 0.0)
    count = _per_load(seen, places, seen.seen)
    wanted = _per_load(seen, places, seen.seen * np.maximum(seen.service, 1e-9))
    worth = LOAD_COUNT * wanted / np.maximum(count, 1e-9)
    total = base * worth + _per_load(seen, places, within)
    return np.where(wanted > 0, total / np.maximum(worth + wanted, 1e-9), base)


def _per_load(seen: Residual, places: int, values: Floats) -> Floats:
    """Sums over the labels of each place and load, [places, buckets]."""
    at = seen.place * BUCKETS + seen.bucket
    summed: Floats = np.bincount(at, values, places * BUCKETS).astype(np.float64)
    return summed.reshape(places, BUCKETS)
