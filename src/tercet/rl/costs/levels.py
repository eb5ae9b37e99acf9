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
Booleans = NDArray[np.bool_]

ALARM = 3.0
"""Standardised error from which a place, or one of its users, is far off."""
SETTLED = 3
"""Windows with labels of a place before a jump can be noticed there."""
MIN_JUMP = 0.25
"""Least size of a jump, log units."""
MAX_HAZARD = 0.2
"""Highest rate of jumps that is believed, per window."""
BY_CHANCE = 1e-4
"""Probability below which requests that are all far off at once are no stragglers: a jump."""
STRAY_RATE, STRAY_COUNT = 0.02, 20.0
"""Share of windows in which a place is far off for once, at first, and the windows that this is
worth."""
MOST_DRIFTED = 50.0
"""Windows of drift that a level becomes less certain by at most, beyond its jumps."""
MEMORY = 0.03
"""Rate at which the correlation of consecutive errors of a place is averaged."""
CORRELATED, TOO_LARGE = 0.4, 1.0
"""Correlation of consecutive errors, and their mean standardised square, from which the level of a
place is taken to drift more than was thought."""
FIRST_DRIFT, DRIFT_UP, DRIFT_DOWN = 0.02, 1.15, 0.93
"""Drift at first, as a share of the covariance of consecutive errors, and its change per window
while they are correlated, or negatively so."""
UNSEEN_RATE, UNSEEN_JUMP = 0.01, float(np.log(3.0))
"""Jumps per window of a place beyond those seen; their size, log units, before any was."""


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
    product: Floats = field(default_factory=lambda: np.zeros(0))
    """Average product of consecutive errors..."""
    square: Floats = field(default_factory=lambda: np.zeros(0))
    """...and of their squares, log units..."""
    excess: Floats = field(default_factory=lambda: np.zeros(0))
    """...and of their standardised squares."""
    streak: Floats = field(default_factory=lambda: np.zeros(0))
    """Windows in a row with a large error on one side."""
    settled: Floats = field(default_factory=lambda: np.zeros(0))
    """Windows with labels."""
    stray: Floats = field(default_factory=lambda: np.zeros(0))
    """Those of them that were far off on the slow side without a jump."""
    jumps: Floats = field(default_factory=lambda: np.zeros(0))
    """Jumps so far..."""
    jump_size: Floats = field(default_factory=lambda: np.zeros(0))
    """...and the mean square of them, log units."""
    windows: Floats = field(default_factory=lambda: np.zeros(0))
    """Windows since the place was first seen..."""
    unseen: Floats = field(default_factory=lambda: np.zeros(0))
    """...and since its latest label."""

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
        self.unseen += 1.0
        rate = self._rate()
        self.mean *= np.where(self.unseen > 1.0, 1.0 - rate, 1.0)  # It returns as it left.
        grown = self.variance + rate * self.jump_size + self.drift
        limit = np.maximum(self.jump_size, self.variance) + MOST_DRIFTED * self.drift
        self.variance = np.minimum(grown, limit)

    def _rate(self) -> Floats:
        """Jumps per window of each place."""
        return np.minimum(self.jumps / np.maximum(self.windows, 10.0), MAX_HAZARD)

    def steady(self, place: Integers) -> float:
        """Windows between the jumps of the least steady of some places; endless before a second."""
        again = np.maximum(self.jumps - 1.0, 0.0) / np.maximum(self.windows, 10.0)
        rate = float(self._of(again, place).max(initial=0.0))
        return 1.0 / rate if rate > 0.0 else np.inf

    def changed(self, place: Integers) -> tuple[Floats, Floats, Floats]:
        """Probability that a place has jumped since its latest label, and by how much; [...].

        Third, the probability if it may also have jumped as it was never seen to.
        """
        unseen, rate = self._of(self.unseen, place), self._of(self._rate(), place)
        size = self._of(np.where(self.jumps > 0.0, np.sqrt(self.jump_size), UNSEEN_JUMP), place)
        doubted = 1.0 - np.exp(-(rate + UNSEEN_RATE) * unseen)
        return 1.0 - np.exp(-rate * unseen), size, doubted

    def observe(
        self,
        place: Integers,
        error: Floats,
        share: Floats,
        variance: Floats,
        known: Booleans,
    ) -> Floats:
        """Take in one window's labels [R]; return each one's change of level [R].

        `error` is the level that each label asks for beyond the present one, log units, `share`
        the part of the label that the level moves, `variance` that of the label's logarithm without
        the level's. Only what was measured before (`known`) can tell a change of a place from an
        option that is unlike the others.
        """
        self._grow(int(place.max(initial=-1)) + 1)
        size = len(self.mean)
        weight = known * share**2 / variance
        total = np.bincount(place, weight, size)
        here = np.flatnonzero(total > 1e-6)
        found = np.bincount(place, error * weight, size)[here] / total[here]
        spread = self._disagreement(place, error, weight)[here] / total[here]
        self.unseen[here] = 0.0
        standard = (error * share / np.sqrt(variance))[known]
        wanted = self._windows_for_a_jump(place[known], standard)[here]
        change = np.zeros(size)
        change[here] = self._move(here, found, spread, wanted)
        return change[place]

    def _disagreement(self, place: Integers, error: Floats, weight: Floats) -> Floats:
        """How much further the labels of a place are apart than they are noisy, [places]; 1: not.

        What one user measures and another one does not is no change of the place (Birge's ratio).
        """
        size = len(self.mean)
        users = np.bincount(place, weight > 0.0, size)
        total = np.maximum(np.bincount(place, weight, size), 1e-12)
        mean = np.bincount(place, error * weight, size) / total
        apart = np.bincount(place, weight * (error - mean[place]) ** 2, size)
        ratio = apart / np.maximum(users - 1.0, 1.0)
        return np.where(ratio > ALARM, ratio, 1.0)

    def _move(self, here: Integers, found: Floats, spread: Floats, wanted: Floats) -> Floats:
        """Move the levels of the places `here` [p]; return by how much, [p].

        `found` is the error of each and `spread` its variance; `wanted` windows make a jump.
        """
        deviation = np.sqrt(spread + self.variance[here])
        standard = found / deviation
        settled = self.settled[here] >= SETTLED
        self._count_streak(here, standard)
        jump = settled & (self.streak[here] >= wanted) & (np.abs(found) > MIN_JUMP)
        # Where stragglers are more frequent than jumps, a far request moves a level little.
        often = jump | (self._rate()[here] > self._stray_rate()[here])
        found = np.where(often, found, np.clip(found, -ALARM * deviation, ALARM * deviation))
        moved = np.where(jump, found**2 + self.variance[here], self.variance[here])
        self._note_jumps(here[jump], found[jump])
        gain = moved / (moved + spread)
        self.mean[here] += gain * found
        self.variance[here] = (1.0 - gain) * moved
        square = np.minimum(standard**2, ALARM**2)
        self._follow_drift(here[settled], found[settled], square[settled], jump[settled])
        self.error[here], self.innovation[here] = standard, np.where(jump, 0.0, found)
        self.settled[here] += 1.0
        return gain * found

    def _count_streak(self, here: Integers, standard: Floats) -> None:
        """Count the windows in a row in which the error of a place was large on one side."""
        large = np.abs(standard) > ALARM
        same = self.error[here] * standard > 0
        before = np.where(same & large, 0.0, self.streak[here])
        self.stray[here] += np.where(self.error[here] > 0, before, 0.0)
        self.streak[here] = np.where(large, np.where(same, self.streak[here], 0.0) + 1.0, 0.0)

    def _follow_drift(
        self, here: Integers, found: Floats, standard: Floats, jump: Booleans
    ) -> None:
        """Adapt the drift of places: errors that follow each other mean that it is too small.

        `found` are errors and `standard` their standardised squares, [p].
        """
        rate = np.where(jump, 0.0, MEMORY)
        self.product[here] += rate * (found * self.innovation[here] - self.product[here])
        self.square[here] += rate * (found**2 - self.square[here])
        self.excess[here] += rate * (standard - self.excess[here])
        ratio = self.product[here] / np.maximum(self.square[here], 1e-12)
        enough = self.settled[here] > 1.0 / MEMORY
        first = FIRST_DRIFT * np.maximum(self.product[here], 0.0)
        drift = self.drift[here]
        up = np.minimum(np.maximum(drift, first) * DRIFT_UP, self.square[here])
        small = (ratio > CORRELATED) & (self.excess[here] > TOO_LARGE)
        drift = np.where(enough & small, up, drift)
        self.drift[here] = np.where(enough & (ratio < 0.0), drift * DRIFT_DOWN, drift)

    def _windows_for_a_jump(self, place: Integers, standard: Floats) -> Floats:
        """Windows in a row that make a jump of each place, [places].

        The more of its users are all far off on one side (`standard`, [R]), and the rarer its
        stragglers are, the fewer; where they do not agree, as if there were one.
        """
        size = len(self.mean)
        users = np.bincount(place, minlength=size)
        above = np.bincount(place, standard > ALARM, size)
        below = np.bincount(place, standard < -ALARM, size)
        agree = (above == users) | (below == users)
        rate = np.where(below > above, STRAY_RATE, np.minimum(self._stray_rate(), 0.5))
        single = np.log(BY_CHANCE) / np.log(rate)
        wanted: Floats = np.ceil(single / np.where(agree, np.maximum(users, 1), 1))
        return wanted

    def _stray_rate(self) -> Floats:
        """Windows of each place that are far off for once, as a share of those with labels."""
        return (STRAY_COUNT * STRAY_RATE + self.stray) / (STRAY_COUNT + self.settled)

    def _note_jumps(self, place: Integers, size: Floats) -> None:
        before = self.jumps[place]
        self.jump_size[place] = (before * self.jump_size[place] + size**2) / (before + 1.0)
        self.jumps[place] = before + 1.0
        self.streak[place] = 0.0
