"""Whether response times got worse, and whether the policy is the cause: Welch's test on windows.

A window of rounds is compared with the last good one. When it is *worse*, the version in force is
suspected, and the caller lets the last good version decide for one window. If that is faster, the
policy was the cause; if not, the world has become slower for all versions alike.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from math import exp, inf, log, sqrt
from statistics import NormalDist, fmean, variance

WINDOW = 20
"""Rounds of a window."""
MARGIN = 0.15
"""Share that is tolerated: a window is worse only when it is significantly slower than that."""
TOLERANCE = 0.05
"""Slower by no more than this share is as good; between it and worse, a window is unclear."""
MAX_UNCLEAR_WINDOWS = 5
"""Unclear windows on end; the next that is not worse is the new baseline."""
RECOVERY = 0.05
"""Share by which the former version must be faster for the policy to be the cause."""
LEVEL = 0.01
"""Probability, per comparison, that a window slower by just `MARGIN` is found worse; for a window
that is not slower it is far lower."""

Response = Mapping[str, float]
"""One round: device to milliseconds."""


class Finding(Enum):
    """The result of a full window."""

    GOOD = "as good as the last good one, or the first of its kind"
    WORSE = "worse than the last good one"
    POLICY = "the former version is faster: it was the policy"
    WORLD = "the former version is no faster: the world has changed, or cannot be compared"


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two windows: the later's response time over the earlier's, and its error."""

    ratio: float
    deviation: float
    """Standard error of the ratio's logarithm."""
    freedom: float
    """Degrees of freedom of that error (Welch and Satterthwaite)."""

    def slower(self, margin: float, level: float = LEVEL) -> bool:
        """Whether the later is slower by more than a share, at significance `level`."""
        excess = log(self.ratio) - log(1 + margin)
        return excess > quantile(1 - level, self.freedom) * self.deviation


def compare(before: Sequence[Response], after: Sequence[Response]) -> Comparison:
    """Compare log response times of two windows, device by device, so that one missing in a
    round does not move its average. Devices in fewer than half of either's rounds are left out.

    With fewer than two rounds on either side the error is infinite.
    """
    devices = _regular(before) & _regular(after)
    usual = {d: fmean(log(max(r[d], 1e-3)) for r in before if d in r) for d in devices}
    old, new = _levels(before, usual), _levels(after, usual)
    if min(len(old), len(new)) < 2:
        return Comparison(1.0, inf, 1.0)
    parts = [variance(side) / len(side) for side in (old, new)]
    spread = sum(parts)
    weights = sum(p**2 / (len(s) - 1) for p, s in zip(parts, (old, new), strict=True))
    freedom = spread**2 / weights if weights else float(len(old) + len(new) - 2)
    return Comparison(exp(fmean(new) - fmean(old)), sqrt(spread), freedom)


def _regular(rounds: Sequence[Response]) -> set[str]:
    """Devices in at least half of the rounds."""
    devices = {device for response in rounds for device in response}
    return {d for d in devices if 2 * sum(d in r for r in rounds) >= len(rounds)}


def _levels(rounds: Sequence[Response], usual: Mapping[str, float]) -> list[float]:
    """Per round: the mean over its devices of log milliseconds less the device's usual ones."""
    found = ([log(max(r[d], 1e-3)) - usual[d] for d in r if d in usual] for r in rounds)
    return [fmean(level) for level in found if level]


def quantile(share: float, freedom: float) -> float:
    """Of Student's distribution, by its expansion around the normal one.

    Its error is below 2 % from five degrees of freedom on, and windows have more.
    """
    z, n = NormalDist().inv_cdf(share), max(freedom, 1.0)
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / n + second / n**2 + third / n**3


class DegradationMonitor:
    """Collects rounds in windows and compares each with the last good one."""

    def __init__(self, window: int = WINDOW) -> None:
        self._window = window
        self._conditions: Hashable = None
        self._rounds: list[Response] = []
        self._baseline: list[Response] | None = None
        self._suspect: list[Response] = []
        self._unclear = 0
        """Windows since the last good one."""
        self.first: int | None = None
        """The version that began the present window."""
        self.comparing = False
        """Whether the present window is a former version's, compared with the suspected one."""

    def add(self, version: int, response: Response, conditions: Hashable = None) -> Finding | None:
        """Add a round that was decided by a version; return the result of a full window.

        Rounds are comparable only under equal `conditions`; after a change it starts again.
        """
        if conditions != self._conditions:
            compared, self._conditions = self.comparing, conditions
            self.restart()
            if compared:
                return Finding.WORLD
        if not self._rounds:
            self.first = version
        self._rounds = [*self._rounds, response]  # A copy of this object keeps its own.
        if len(self._rounds) < self._window:
            return None
        done, self._rounds = self._rounds, []
        return (
            self._compare_with_suspect(done)
            if self.comparing
            else self._compare_with_baseline(done)
        )

    def _compare_with_baseline(self, done: list[Response]) -> Finding | None:
        found = None if self._baseline is None else compare(self._baseline, done)
        if found is not None and found.slower(MARGIN):
            self._suspect, self._unclear = done, 0
            return Finding.WORSE
        if found is None or found.ratio <= 1 + TOLERANCE or self._unclear >= MAX_UNCLEAR_WINDOWS:
            self._baseline, self._unclear = done, 0
            return Finding.GOOD
        self._unclear += 1
        return None

    def _compare_with_suspect(self, done: list[Response]) -> Finding:
        self.comparing = False
        if compare(done, self._suspect).slower(RECOVERY):
            self._baseline = done
            return Finding.POLICY
        self._baseline = None
        return Finding.WORLD

    def start_comparison(self) -> None:
        """The next window is a former version's; to be called after `WORSE`."""
        self.comparing, self._rounds = True, []

    def accept_change(self) -> None:
        """The world has changed: the next window is the new baseline; call it after `WORSE`."""
        self._baseline = None

    def restart(self) -> None:
        """Start again: without a baseline, and without a suspected version."""
        self._rounds, self._baseline, self.first = [], None, None
        self._unclear = 0
        self.comparing = False
