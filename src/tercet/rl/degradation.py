"""Whether response times got worse, and whether the policy is why: windows of rounds, by Welch.

A window of rounds is compared with the last good one. What is *worse* puts the version in force
on trial: the caller lets the last good version decide for one window. If that is faster again, it
was the policy; if not, the world has become slower for all versions alike.
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
"""Slower by this share is tolerated: a window is worse only when it is surely slower than that."""
CALM = 0.05
"""Slower by no more than this share is as good; between it and `worse` nothing is concluded."""
PATIENCE = 5
"""Windows of which nothing is concluded; the next that is not worse is the new measure."""
RECOVERY = 0.05
"""Faster by this share, surely, than the version on trial: then that was to blame."""
LEVEL = 0.01
"""Chance, per comparison, of calling a window worse that is slower by just `MARGIN`; one that is
not slower at all is called worse far more rarely."""

Response = Mapping[str, float]
"""One round: device to milliseconds."""


class Finding(Enum):
    """What a full window says."""

    GOOD = "as good as the last good one, or the first of its kind"
    WORSE = "worse than the last good one"
    POLICY = "the former version is faster: it was the policy"
    WORLD = "the former version is no faster: the world has changed, or cannot be compared"


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two windows: the later's response time over the earlier's, and how sure that is."""

    ratio: float
    deviation: float
    """Standard error of the ratio's logarithm."""
    freedom: float
    """Degrees of freedom of that error (Welch and Satterthwaite)."""

    def slower(self, margin: float, level: float = LEVEL) -> bool:
        """Whether the later is slower by more than a share, wrongly so with chance `level`."""
        excess = log(self.ratio) - log(1 + margin)
        return excess > quantile(1 - level, self.freedom) * self.deviation


def compare(before: Sequence[Response], after: Sequence[Response]) -> Comparison:
    """Compare log response times of two windows, device by device, so that one missing in a
    round does not move its average. Devices in fewer than half of either's rounds are left out.

    With fewer than two rounds on either side nothing is sure.
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
    everyone = {device for response in rounds for device in response}
    return {d for d in everyone if 2 * sum(d in r for r in rounds) >= len(rounds)}


def _levels(rounds: Sequence[Response], usual: Mapping[str, float]) -> list[float]:
    """Per round: the mean over its devices of log milliseconds less the device's usual ones."""
    found = ([log(max(r[d], 1e-3)) - usual[d] for d in r if d in usual] for r in rounds)
    return [fmean(level) for level in found if level]


def quantile(share: float, freedom: float) -> float:
    """Of Student's distribution, by its expansion around the normal one: good to 2 % from five
    degrees of freedom on, and windows have more."""
    z, n = NormalDist().inv_cdf(share), max(freedom, 1.0)
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / n + second / n**2 + third / n**3


class DegradationMonitor:
    """Gathers rounds into windows and compares each with the last good one."""

    def __init__(self, window: int = WINDOW) -> None:
        self._window = window
        self._place: Hashable = None
        self._rounds: list[Response] = []
        self._baseline: list[Response] | None = None
        self._worse: list[Response] = []
        self._unclear = 0
        """Windows since the last good one."""
        self.first: int | None = None
        """The version that began the present window."""
        self.on_trial = False
        """Whether the present window is a former version's, against the one that was worse."""

    def see(self, version: int, response: Response, place: Hashable = None) -> Finding | None:
        """Enter a round that was decided by a version; what a window says when it is full.

        `place`: what must be equal for rounds to be comparable; with another, all begins anew.
        """
        if place != self._place:
            tried, self._place = self.on_trial, place
            self.restart()
            if tried:
                return Finding.WORLD
        if not self._rounds:
            self.first = version
        self._rounds = [*self._rounds, response]  # A copy of this object keeps its own.
        if len(self._rounds) < self._window:
            return None
        done, self._rounds = self._rounds, []
        return self._verdict(done) if self.on_trial else self._judge(done)

    def _judge(self, done: list[Response]) -> Finding | None:
        found = None if self._baseline is None else compare(self._baseline, done)
        if found is not None and found.slower(MARGIN):
            self._worse, self._unclear = done, 0
            return Finding.WORSE
        if found is None or found.ratio <= 1 + CALM or self._unclear >= PATIENCE:
            self._baseline, self._unclear = done, 0
            return Finding.GOOD
        self._unclear += 1
        return None

    def _verdict(self, done: list[Response]) -> Finding:
        self.on_trial = False
        if compare(done, self._worse).slower(RECOVERY):
            self._baseline = done
            return Finding.POLICY
        self._baseline = None
        return Finding.WORLD

    def try_former(self) -> None:
        """The next window is a former version's; to be called after `WORSE`."""
        self.on_trial, self._rounds = True, []

    def accept(self) -> None:
        """It is nobody's fault: the next window is the new measure; to be called after `WORSE`."""
        self._baseline = None

    def restart(self) -> None:
        """Begin anew: nothing is good yet, and nothing on trial."""
        self._rounds, self._baseline, self.first = [], None, None
        self._unclear = 0
        self.on_trial = False
