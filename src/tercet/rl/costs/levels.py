"""The level of each place over time: changes that no state shows, noticed and forgotten per place.

A level is added to the logarithm of the service of everything on a node. It is a scalar filter:
still until something happens, quick after a jump, and less and less certain while nobody looks, at
the rate at which jumps have happened there before.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

ALARM = 3.0
"""Standardised error of a place's users, twice in a row on one side, that is a jump."""
SETTLED = 3
"""Windows with labels of a place before a jump can be noticed there."""
MIN_JUMP = 0.25
"""Least size of a jump, log units."""
MAX_HAZARD = 0.2
"""Highest rate of jumps that is believed, per window."""
DRIFT_RATE = 0.05
"""Step by which the drift of a place follows the correlation of its errors."""


@dataclass
class Levels:
    """One filter per place number; all arrays [places], and they grow."""

    mean: Floats = field(default_factory=lambda: np.zeros(0))
    variance: Floats = field(default_factory=lambda: np.zeros(0))
    drift: Floats = field(default_factory=lambda: np.zeros(0))
    """Variance that is added per window."""
    error: Floats = field(default_factory=lambda: np.zeros(0))
    """Standardised error of the latest window with labels."""
    innovation: Floats = field(default_factory=lambda: np.zeros(0))
    """Its error in log units."""
    settled: Floats = field(default_factory=lambda: np.zeros(0))
    """Windows with labels."""
    jumps: Floats = field(default_factory=lambda: np.zeros(0))
    jump_size: Floats = field(default_factory=lambda: np.zeros(0))
    """Mean square of the jumps, log units."""
    windows: Floats = field(default_factory=lambda: np.zeros(0))
    """Windows since the place was first seen."""

    def _grow(self, places: int) -> None:
        missing = places - len(self.mean)
        if missing > 0:
            for name in vars(self):
                setattr(self, name, np.concatenate([getattr(self, name), np.zeros(missing)]))

    def mean_of(self, place: Integers) -> Floats:
        """Level of each place, same shape."""
        return self._of(self.mean, place)

    def variance_of(self, place: Integers) -> Floats:
        """Variance of the level of each place, same shape."""
        return self._of(self.variance, place)

    @staticmethod
    def _of(values: Floats, place: Integers) -> Floats:
        if not len(values):
            return np.zeros(place.shape)
        inside = place < len(values)
        return np.where(inside, values[np.minimum(place, len(values) - 1)], 0.0)

    def pass_window(self) -> None:
        """One window passes: levels that have jumped before become less certain."""
        self.windows += 1.0
        rate = np.minimum(self.jumps / np.maximum(self.windows, 10.0), MAX_HAZARD)
        limit = self.jump_size
        grown = self.variance + rate * self.jump_size + self.drift
        self.variance = np.minimum(grown, np.maximum(limit, self.variance) + 50 * self.drift)

    def observe(
        self, place: Integers, error: Floats, share: Floats, variance: Floats,
        known: NDArray[np.bool_],
    ) -> Floats:
        """Take in the errors of one window's labels [R]; return each one's change of level [R].

        `share` is the part of each label that the level moves, `variance` its own without the
        level's. Only what was measured before (`known`) can tell a change of a place from an
        option that is unlike the others.
        """
        self._grow(int(place.max(initial=-1)) + 1)
        size = len(self.mean)
        weight = known * share / variance
        total = np.bincount(place, share * weight, size)
        here = np.flatnonzero(total > 1e-6)
        found = np.bincount(place, error * weight, size)[here] / total[here]
        spread = 1.0 / total[here]
        expected = spread + self.variance[here]
        standard = found / np.sqrt(expected)
        settled = self.settled[here] >= SETTLED
        again = (np.abs(self.error[here]) > ALARM) & (self.error[here] * standard > 0)
        users = np.bincount(place, known, size)[here]
        agree = self._agreement(place[known], (error / np.sqrt(variance))[known])[here]
        agree &= users >= 3
        jump = settled & (np.abs(standard) > ALARM) & (again | agree) & (np.abs(found) > MIN_JUMP)
        moved = np.where(jump, found**2 + self.variance[here], self.variance[here])
        self._note_jumps(here[jump], found[jump])
        gain = moved / (moved + spread)
        self.mean[here] += gain * found
        self.variance[here] = (1.0 - gain) * moved
        product = np.where(jump, 0.0, found * self.innovation[here])
        self.drift[here] = np.clip(
            self.drift[here] + DRIFT_RATE * np.where(settled, product, 0.0) * 0.5, 0.0, 0.25
        )
        self.error[here], self.innovation[here] = standard, (1.0 - gain) * found
        self.settled[here] += 1.0
        change = np.zeros(size)
        change[here] = gain * found
        return change[place]

    def _agreement(self, place: Integers, standard: Floats) -> NDArray[np.bool_]:
        """Whether all labels of a place are far off on one side, [places]."""
        size = len(self.mean)
        count = np.bincount(place, minlength=size)
        above = np.bincount(place, standard > ALARM, size)
        below = np.bincount(place, standard < -ALARM, size)
        return (count > 0) & ((above == count) | (below == count))

    def _note_jumps(self, place: Integers, size: Floats) -> None:
        before = self.jumps[place]
        self.jump_size[place] = (before * self.jump_size[place] + size**2) / (before + 1.0)
        self.jumps[place] = before + 1.0
