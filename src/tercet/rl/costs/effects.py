"""Named effects: what adds up to the logarithm of a part of a request's time.

An effect is a column of a sparse linear model. Its key packs a group and up to two identities, so a
column is found without a layout of the whole fleet: effects appear when something is seen, and one
that nothing loads keeps its prior.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

BITS = 24
"""Bits of each of the two identities in a key."""


@dataclass(frozen=True, slots=True)
class Group:
    """Effects with a common prior N(mean, scale²) on the logarithm of milliseconds."""

    name: str
    scale: float
    mean: float = 0.0


GROUPS = (
    # Service: of a variant on a node under a load, in a state.
    Group("service", 2.5, mean=4.0),
    Group("tier", 1.0),
    Group("variant", 0.7),
    Group("node", 0.7),
    Group("node.variant", 0.5),
    # A node is somewhere between indifferent to its load (0) and strictly serial (1).
    Group("load", 0.5, mean=0.5),
    Group("node.load", 0.4),
    Group("bend", 0.2),
    Group("node.bend", 0.25),
    Group("signal", 0.5),
    Group("node.signal", 0.3),
    # A measured profile is taken as proportional until outcomes differ.
    Group("profile", 0.3, mean=1.0),
    # Network: of a device on a path.
    Group("path", 2.0, mean=1.0),
    Group("device", 1.0),
    Group("device.path", 0.7),
    Group("link", 0.7),
    # Waiting that adds up: for each request of a backlog, for each millisecond of a slower link.
    Group("wait", 2.0, mean=3.0),
    Group("node.wait", 1.0),
    Group("delay", 1.5),
    Group("node.delay", 1.0),
    # Of the whole: what a device reports wherever it runs what, beside what the others report...
    Group("row", 1.0),
    # ...and a device, an option and about one load.
    Group("cell", 0.1),
    # Service of a row whose requests wait for each other: a node may work on several at once (0),
    # or on one after the other (1).
    Group("own", 0.3, mean=0.8),
    Group("node.own", 0.2),
)
"""Weakly informative priors in log units; none is fitted, so what was never tried stays open."""

INDEX = {group.name: k for k, group in enumerate(GROUPS)}
PRIOR_MEAN = np.array([group.mean for group in GROUPS])
PRIOR_SCALE = np.array([group.scale for group in GROUPS])


def key(group: str, first: Integers | int = 0, second: Integers | int = 0) -> Integers:
    """Pack a group and two identities into one integer each."""
    packed = (INDEX[group] << 2 * BITS) | (np.asarray(first, dtype=np.int64) << BITS)
    return np.asarray(packed | np.asarray(second, dtype=np.int64))


@dataclass
class Names:
    """Small integers for names; one that was given out is never given to another name."""

    number: dict[str, int] = field(default_factory=dict)

    def __getitem__(self, name: str) -> int:
        return self.number.setdefault(name, len(self.number))

    def of(self, names: list[str] | tuple[str, ...]) -> Integers:
        """Numbers of several names, [n]."""
        return np.array([self[name] for name in names], dtype=np.int64)


@dataclass
class Effects:
    """Every effect that was ever seen, in the order of appearance."""

    keys: Integers = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    _sorted: Integers = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    _order: Integers = field(default_factory=lambda: np.zeros(0, dtype=np.int64))

    def __len__(self) -> int:
        return len(self.keys)

    def columns(self, keys: Integers) -> Integers:
        """The column of each key, same shape; new ones are appended."""
        found = self.find(keys)
        if (found < 0).any():
            fresh = np.unique(keys[found < 0])
            self.keys = np.concatenate([self.keys, fresh])
            self._order = np.argsort(self.keys)
            self._sorted = self.keys[self._order]
            found = self.find(keys)
        return found

    def restore(self, keys: Integers) -> None:
        """Take over the columns of another; nothing may have been seen before."""
        self.keys = keys
        self._order = np.argsort(keys)
        self._sorted = keys[self._order]

    def find(self, keys: Integers) -> Integers:
        """The column of each key, same shape; -1 for one that was never seen."""
        if not len(self._sorted):
            return np.full(keys.shape, -1, dtype=np.int64)
        at = np.minimum(np.searchsorted(self._sorted, keys), len(self._sorted) - 1)
        return np.where(self._sorted[at] == keys, self._order[at], -1)

    @property
    def group(self) -> Integers:
        """Group of each column, [D]."""
        return self.keys >> 2 * BITS

    @property
    def mean(self) -> Floats:
        """Prior mean of each column, [D]."""
        return PRIOR_MEAN[self.group]

    @property
    def scale(self) -> Floats:
        """Prior standard deviation of each column, [D]."""
        return PRIOR_SCALE[self.group]
