"""The response time to expect of one device, from the outcomes of the other devices.

A cell is one option on one node under one load. Local options share a cell: the nodes differ, by
what start-up profiles state. A device counts once in a cell, by its median, and the expectation is
the median over the other devices: one false median among three or more changes nothing.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from statistics import median

from tercet.rl.features import Profile
from tercet.rl.options import Option
from tercet.rl.platform import Assignment, Platform, loads

KEPT = 16
"""Labels kept of each device in each cell."""
MIN_PEERS = 2
"""Other devices with outcomes in a cell, or on a node, that an expectation requires."""
MAX_EXPONENT = 1.5
"""Largest power of its load with which a shared node slows down."""


LOCAL, ANY = "local", Option("any", "L")


@dataclass(frozen=True, slots=True)
class Cell:
    """Node, option and load of a request."""

    where: str
    """The node; `local` for every device's own."""
    option: Option
    load: int


@dataclass(frozen=True, slots=True)
class ExpectedRange:
    """The range, in milliseconds, in which an outcome is expected."""

    low: float
    high: float
    exact: bool
    """Whether it is from outcomes in the same cell."""

    def deviation(self, ms: float) -> float:
        """Distance of `ms` from the range, in log milliseconds; 0 inside."""
        return max(math.log(ms / self.high), 0.0) + min(math.log(ms / self.low), 0.0)


def cells(platform: Platform, assignment: Assignment) -> dict[str, Cell]:
    """The cell of each device in a round, as executed."""
    load = loads(platform, assignment)
    found = {}
    for device, option in assignment.items():
        node = platform.node(device, option)
        where = LOCAL if option.tier == "L" else node
        found[device] = Cell(where, option, round(load[node]))
    return found


@dataclass
class Peers:
    """Latest accepted times, by node, cell and device; milliseconds beyond the profile's."""

    labels: dict[tuple[Cell, str], deque[float]] = field(default_factory=dict)
    medians: dict[str, dict[Cell, dict[str, float]]] = field(default_factory=dict)
    """Node to cell to device to the median of its labels there."""

    def add(self, cell: Cell, device: str, ms: float, compute: float) -> None:
        """Add one label; `compute` is the compute time in the node's profile, 0 if unknown."""
        cell = _compared(cell, compute)
        kept = self.labels.setdefault((cell, device), deque(maxlen=KEPT))
        kept.append(ms - compute)
        self.medians.setdefault(cell.where, {}).setdefault(cell, {})[device] = median(kept)

    def keep(self, devices: Collection[str], nodes: Collection[str]) -> None:
        """Drop devices and nodes that have left."""
        if all(d in devices and c.where in nodes for c, d in self.labels):
            return
        old, self.labels, self.medians = self.labels, {}, {}
        for (cell, device), kept in old.items():
            if device in devices and cell.where in nodes:
                self.labels[cell, device] = kept
                self.medians.setdefault(cell.where, {}).setdefault(cell, {})[device] = median(kept)

    def expected(self, cell: Cell, device: str, compute: float) -> ExpectedRange | None:
        """The range to expect from the others' outcomes; None when there are too few.

        The median of the cell, or the range between its two middle values. With too few in the
        cell, the range of all outcomes of the others on that node, scaled to this load.
        """
        cell = _compared(cell, compute)
        node = self.medians.get(cell.where, {})
        others = sorted(ms for d, ms in node.get(cell, {}).items() if d != device)
        if len(others) >= MIN_PEERS:
            low, high = others[(len(others) - 1) // 2], others[len(others) // 2]
        else:
            rough = [
                (ms * min(1.0, ratio), ms * max(1.0, ratio) ** MAX_EXPONENT)
                for other, medians in node.items()
                for ratio in (cell.load / other.load,)
                for d, ms in medians.items()
                if d != device
            ]
            if len({d for v in node.values() for d in v if d != device}) < MIN_PEERS:
                return None
            low, high = min(r[0] for r in rough), max(r[1] for r in rough)
        least = max(compute / 4, 1e-3)
        exact = len(others) >= MIN_PEERS
        return ExpectedRange(max(low + compute, least), max(high + compute, least), exact)


def _compared(cell: Cell, compute: float) -> Cell:
    """Beyond a known profile, local options have the same additional time: they share a cell."""
    return Cell(cell.where, ANY, cell.load) if compute and cell.where == LOCAL else cell


def compute_ms(platform: Platform, device: str, option: Option, profile: Profile | None) -> float:
    """Compute time of an option in the profile of its node, milliseconds; 0 if unknown."""
    known: Mapping[str, float] = (profile or {}).get(platform.node(device, option), {})
    return known.get(option.variant, 0.0)
