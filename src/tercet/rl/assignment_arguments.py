"""The arguments of the solver: what they mean, their defaults, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Booleans = NDArray[np.bool_]

LOCAL = -1
"""Node index of an option that loads no shared node."""


class General(TypedDict, total=False):
    """Keyword arguments beyond the paper's round: loads, placement, groups, costs of nodes."""

    levels: ArrayLike
    """Loads at which costs[..., l] is tabulated, [L], increasing; default 1..L. Linear in between;
    beyond either end the value at that end."""
    demand: ArrayLike
    """Weight of each row in the mean cost and in the mean accuracy, [n]; default 1. Where all are
    zero, all count the same."""
    amount: ArrayLike
    """Load that a row adds to the node of its option, [n, O]; default 1."""
    offset: ArrayLike
    """Load on each node whatever is decided, [K]; default 0."""
    node: ArrayLike
    """Node on which an option of a row runs, [n, O]; -1: none, its cost is costs[..., 0]. Takes
    the place of `tiers` and `home`."""
    extra: Sequence[tuple[ArrayLike, ArrayLike]]
    """Further nodes that options load, as pairs (node, amount), each [n, O]; -1: none. The cost of
    an option depends on the load of its own node only."""
    allowed: ArrayLike
    """Options that a row may use, [n, O]; default all. Costs of others are not read."""
    groups: ArrayLike
    """Goal group of each row, [n], 0..G-1; default 0. Then `required` is [G]."""
    node_cost: ArrayLike
    """Cost of each node by its load, [K, M], in the unit of costs times demand (it is added to the
    sum of demand times cost); default none."""
    node_levels: ArrayLike
    """Loads at which `node_cost` is tabulated, [M], increasing; default `levels`."""


def array(name: str, value: ArrayLike, shape: tuple[int | None, ...]) -> Floats:
    """Finite floats of a shape (None: any length); raises ValueError that names the argument."""
    try:
        found = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name}: not an array of numbers") from error
    fits = found.ndim == len(shape) and all(
        want is None or have == want for have, want in zip(found.shape, shape, strict=True)
    )
    if not fits:
        wanted = ", ".join("any" if s is None else str(s) for s in shape)
        raise ValueError(f"{name}: shape {found.shape} does not fit, expected ({wanted})")
    if not np.isfinite(found).all():
        raise ValueError(f"{name}: a value is not finite")
    return found


def not_negative(name: str, value: Floats) -> Floats:
    """The value, if nothing in it is below zero; raises ValueError that names the argument."""
    if (value < 0).any():
        raise ValueError(f"{name}: a value is negative")
    return value


def increasing(name: str, value: Floats) -> Floats:
    """The value, if it is not empty and strictly increasing; raises ValueError otherwise."""
    if not len(value) or (np.diff(value) <= 0).any():
        raise ValueError(f"{name}: must be strictly increasing")
    return value


def whole(name: str, value: ArrayLike, shape: tuple[int, ...], least: int, most: int) -> Integers:
    """Whole numbers from `least` to `most`; raises ValueError that names the argument."""
    found = array(name, value, shape)
    if (found != np.round(found)).any() or (found < least).any() or (found > most).any():
        raise ValueError(f"{name}: must be whole numbers from {least} to {most}")
    return found.astype(np.int64)


def permitted(value: ArrayLike | None, rows: int, options: int) -> Booleans:
    """Options that each row may use, [n, O]; raises ValueError for a row without any."""
    if value is None:
        return np.ones((rows, options), dtype=bool)
    found = array("allowed", value, (rows, options)).astype(bool)
    without = np.flatnonzero(~found.any(axis=1))
    if len(without):
        raise ValueError(f"allowed: row {without[0]} has no option")
    return found


def weights(demand: Floats) -> Floats:
    """The demand, or equal weights where nothing is demanded at all."""
    return demand if demand.any() else np.ones_like(demand)


def placement(
    tiers: Sequence[str] | None, home: ArrayLike | None, rows: int, options: int
) -> tuple[Integers, int]:
    """Node of each option [n, O] and the number of nodes: edges first, then the cloud."""
    if tiers is None:
        raise ValueError("tiers: needed where `node` is not given")
    if len(tiers) != options or not set(tiers) <= {"L", "E", "C"}:
        raise ValueError(f"tiers: {list(tiers)} do not fit {options} options of L, E or C")
    homes = np.zeros(rows, dtype=np.int64)
    if home is not None:
        homes = whole("home", home, (rows,), 0, 10**6)
    edges = int(homes.max()) + 1 if rows else 1
    node = np.full((rows, options), LOCAL, dtype=np.int64)
    for option, tier in enumerate(tiers):
        if tier != "L":
            node[:, option] = homes if tier == "E" else edges
    return node, edges + 1
