"""Loads of the hub and of the branches with prices at each, and what the bound is there."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Grid:
    """C loads of the hub and I loads of each of B branches, in rising order, with prices."""

    hub: Floats
    """[C]."""
    hub_price: Floats
    """Cost per load on the hub, [C]."""
    accuracy_price: Floats
    """Cost per unit of accuracy times demand, [C, G]."""
    branch: Floats
    """[I, B]."""
    price: Floats
    """Cost per load on the branch, for each load of the hub, [C, I, B]."""
    users: NDArray[np.bool_] | None = None
    """Rows that use the hub, in the star's order, [C, n]; None: as they choose."""

    def at_hub(self, points: Integers) -> Grid:
        """Only these loads of the hub."""
        return replace(
            self,
            hub=self.hub[points],
            hub_price=self.hub_price[points],
            accuracy_price=self.accuracy_price[points],
            price=self.price[points],
            users=None if self.users is None else self.users[points],
        )

    def at_branches(self, points: Integers) -> Grid:
        """Only these loads of each branch, [i, B]."""
        return replace(
            self,
            branch=np.take_along_axis(self.branch, points, axis=0),
            price=np.take_along_axis(self.price, points[None], axis=1),
        )

    def near(self, interval: Floats) -> Grid:
        """Only the loads of each branch around the least value [C, I - 1, B] between two."""
        low = interval.min(axis=0).argmin(axis=0)
        steps = np.arange(-1, 3)[:, None]
        return self.at_branches(np.clip(low + steps, 0, len(self.branch) - 1))

    def open_loads(self, value: Value, opened: Integers, target: float) -> Grid:
        """Only the loads of each branch with which the hub's cells `opened` stay below `target`."""
        ends = opened, np.minimum(opened + 1, len(self.hub) - 1)
        more = [value.interval[end] - value.parts[end][:, None] for end in ends]
        cell = value.cell if len(self.hub) > 1 else value.point
        usable = np.any(cell[opened, None, None] + np.minimum(*more) < target, axis=0)  # [I - 1, B]
        first, last = usable.argmax(axis=0), len(usable) - usable[::-1].argmax(axis=0)
        count = int((last - first).max()) + 1
        points = np.minimum(first + np.arange(count)[:, None], last)
        return self.at_branches(np.minimum(points, len(self.branch) - 1))


@dataclass(frozen=True)
class Value:
    """What the bound is made of."""

    point: Floats
    """Bound of the total cost with the hub's load at a grid point, [C]."""
    cell: Floats
    """Bound with the hub's load between two grid points, [C - 1]."""
    interval: Floats
    """Least value of each branch between two of its loads, [C, max(1, I - 1), B]."""
    parts: Floats
    """Bound of each branch at each grid point of the hub, [C, B]."""
    choices: Integers | None
    """Options of which the bound is made, [C, n]; None where no branch was searched."""
