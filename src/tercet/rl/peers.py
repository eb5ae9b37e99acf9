"""What one device may be expected to measure, judged by what the others measured alike.

A cell is one option on one node under one load (local options share a cell: the nodes differ, and
start-up profiles say by how much). Every device speaks with one voice in a cell, its median, and
the cell with the median of the others': one liar among three voices or more moves nothing.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from statistics import median

from tercet.rl.features import Profile
from tercet.rl.platform import Assignment, Option, Platform, loads

KEPT = 16
"""Labels kept of each device in each cell."""
VOICES = 2
"""Others that must have been in a cell, or at a place, before they say what to expect there."""
STEEPEST = 1.5
"""Power of its load with which a shared node may slow down."""


LOCAL, ANY = "local", Option("any", "L")


@dataclass(frozen=True, slots=True)
class Cell:
    """Where a request ran, as what, and beside how many."""

    where: str
    """The node; `local` for every device's own."""
    option: Option
    load: int


@dataclass(frozen=True, slots=True)
class Likely:
    """Between how many milliseconds an outcome should lie."""

    low: float
    high: float
    exact: bool
    """Whether others were in the very cell."""

    def beyond(self, ms: float) -> float:
        """How far outside `ms` is, in log milliseconds; 0 inside."""
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
    """What was believed lately, by place, cell and device; milliseconds beyond the profile's."""

    labels: dict[tuple[Cell, str], deque[float]] = field(default_factory=dict)
    voices: dict[str, dict[Cell, dict[str, float]]] = field(default_factory=dict)
    """Place to cell to device to the median of its labels there."""

    def add(self, cell: Cell, device: str, ms: float, compute: float) -> None:
        """Take in one label; `compute` is what the node's profile says of it, 0 if unknown."""
        cell = _compared(cell, compute)
        kept = self.labels.setdefault((cell, device), deque(maxlen=KEPT))
        kept.append(ms - compute)
        self.voices.setdefault(cell.where, {}).setdefault(cell, {})[device] = median(kept)

    def keep(self, devices: Collection[str], places: Collection[str]) -> None:
        """Forget devices and places that have gone."""
        if all(d in devices and c.where in places for c, d in self.labels):
            return
        old, self.labels, self.voices = self.labels, {}, {}
        for (cell, device), kept in old.items():
            if device in devices and cell.where in places:
                self.labels[cell, device] = kept
                self.voices.setdefault(cell.where, {}).setdefault(cell, {})[device] = median(kept)

    def expected(self, cell: Cell, device: str, compute: float) -> Likely | None:
        """What the others make likely; None where they have not been.

        The middle voice of the cell, or what lies between the two middle ones: of two, either may
        be right. With fewer voices, all that the others found at that place, brought to this load.
        """
        cell = _compared(cell, compute)
        place = self.voices.get(cell.where, {})
        heard = sorted(ms for d, ms in place.get(cell, {}).items() if d != device)
        if len(heard) >= VOICES:
            low, high = heard[(len(heard) - 1) // 2], heard[len(heard) // 2]
        else:
            rough = [
                (ms * min(1.0, ratio), ms * max(1.0, ratio) ** STEEPEST)
                for other, voices in place.items()
                for ratio in (cell.load / other.load,)
                for d, ms in voices.items()
                if d != device
            ]
            if len({d for v in place.values() for d in v if d != device}) < VOICES:
                return None
            low, high = min(r[0] for r in rough), max(r[1] for r in rough)
        least = max(compute / 4, 1e-3)
        exact = len(heard) >= VOICES
        return Likely(max(low + compute, least), max(high + compute, least), exact)


def _compared(cell: Cell, compute: float) -> Cell:
    """Where a profile is known, what comes on top of it is alike for all local options."""
    return Cell(cell.where, ANY, cell.load) if compute and cell.where == LOCAL else cell


def compute_ms(platform: Platform, device: str, option: Option, profile: Profile | None) -> float:
    """What the profile of the node that runs an option says of it, milliseconds; 0 if nothing."""
    known: Mapping[str, float] = (profile or {}).get(platform.node(device, option), {})
    return known.get(option.variant, 0.0)
