"""The system model as plain arrays: what a planner needs to know of each relevant condition."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tercet.rl.planning.array_checks import checked
from tercet.rl.planning.conditions import FIELDS
from tercet.rl.planning.history import AFTER, BEFORE, NODE, Transitions
from tercet.rl.planning.node_value import POINTS
from tercet.rl.planning.relevance import Relevant, assess
from tercet.rl.planning.system_model import SystemModel
from tercet.rl.planning.transitions import TERMS, fitted

Floats = NDArray[np.float64]
Parameters = dict[str, NDArray[np.generic]]

BEYOND = 0.5
"""Share of the visited range by which a grid goes beyond it."""

BINS = 24
"""Intervals in which conditions that go together are averaged."""

EXPLAINED = 0.5
"""Share of the variance of a condition from which it counts as a function of another."""

ARRAYS = ("field", "draws", "mean", "spread", "noise", "low", "grid", "others", "follows")


@dataclass(frozen=True)
class Condition:
    """How one condition of a node goes on, and what else of the node goes with it."""

    field: int
    mean: Floats
    """Coefficients of 1, present, load, work, [TERMS]."""
    spread: float
    """Standard deviation of the next value."""
    low: float
    """Its lower bound."""
    grid: Floats
    """[G]"""

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[np.generic]]) -> Condition:
        """From one row of each array."""
        mean, grid = (np.asarray(arrays[n], dtype=np.float64) for n in ("mean", "grid"))
        field, low = int(np.asarray(arrays["field"])), float(np.asarray(arrays["low"]))
        return cls(field, mean, float(np.asarray(arrays["spread"])), low, grid)

    def expected(self, now: Floats, load: Floats, work: Floats) -> Floats:
        """Next value without bound, for arrays that fit together."""
        a, b, c, d = self.mean
        return np.asarray(a + b * now + c * load + d * work)


@dataclass(frozen=True)
class System:
    """The relevant conditions of E nodes, of one member or of the mean."""

    nodes: tuple[str, ...]
    conditions: tuple[Condition, ...]
    draws: Floats
    """Coefficients of each member, [E, M, TERMS]."""
    noise: Floats
    """Standard deviation of what each window adds, [E]."""
    others: Floats
    """Other conditions of the node at each point of the grid, [E, G, F]..."""
    follows: NDArray[np.bool_]
    """...and which of them are functions of it, [E, F]."""

    @classmethod
    def of(cls, parameters: Parameters) -> System:
        """Read parameters; raises ValueError that names what is wrong."""
        names = checked(parameters, ARRAYS)
        rows = [{n: parameters[n][e] for n in ARRAYS} for e in range(len(names))]
        draws, noise, others = (
            np.asarray(parameters[n], dtype=np.float64) for n in ("draws", "noise", "others")
        )
        return cls(
            names, tuple(Condition.of(r) for r in rows), draws, noise, others,
            np.asarray(parameters["follows"], dtype=bool),
        )  # fmt: skip

    def values_at(self, e: int, x: float) -> dict[str, float]:
        """The fields of node `e` when its condition is `x`."""
        condition = self.conditions[e]
        found = {FIELDS[condition.field]: float(x)}
        for f in np.flatnonzero(self.follows[e]).tolist():
            found[FIELDS[f]] = float(np.interp(x, condition.grid, self.others[e, :, f]))
        return found


def joined(members: Sequence[Parameters]) -> Parameters:
    """One system of several members: the conditions that all of them have, and each one's draws.

    Raises ValueError that names what is wrong.
    """
    keys = [
        list(zip(checked(m, ARRAYS), np.asarray(m["field"]).tolist(), strict=True)) for m in members
    ]
    common = [key for key in keys[0] if all(key in others for others in keys)]
    rows = [[known.index(key) for key in common] for known in keys]
    found = {name: members[0][name][rows[0]] for name in ARRAYS}
    draws = [m["draws"][at] for m, at in zip(members, rows, strict=True)]
    return {
        **found,
        "draws": np.concatenate(draws, axis=1),
        "names": packed([n for n, _ in common]),
    }


def packed(names: Sequence[str]) -> NDArray[np.uint8]:
    """Names as JSON in bytes."""
    return np.frombuffer(json.dumps(list(names)).encode(), dtype=np.uint8)


def to_parameters(
    system: SystemModel, members: int, seed: int = 0, relevant: list[Relevant] | None = None
) -> Parameters:
    """All that is relevant of a system model; without entries where nothing is to be planned.

    Each member is a draw from the posterior, the same one for the same evidence and seed.
    """
    known, entries, names = list(system.registry.nodes.number), [], []
    for group in assess(system).relevant if relevant is None else relevant:
        fit = fitted(group.seen)
        normal = np.random.default_rng((seed, 41)).standard_normal((members, *fit.mean.shape))
        draws = np.stack([fit.drawn(z) for z in normal], axis=1)
        others, follows, grids = _companions(system, group)
        for k in group.chosen.tolist():
            names.append(known[group.seen.nodes[k]])
            grid, low = grids[k]
            entries.append({
                "field": np.int64(group.field), "draws": draws[k], "mean": fit.mean[k],
                "spread": fit.noise[k], "noise": fit.noise[k], "low": low, "grid": grid,
                "others": others(grid), "follows": follows,
            })  # fmt: skip
    found: Parameters = {
        name: np.array([e[name] for e in entries]).reshape(len(entries), *shape)
        for name, shape in _shapes(members).items()
    }
    found["names"] = packed(names)
    return found


def _shapes(members: int) -> dict[str, tuple[int, ...]]:
    """Shape of each array but for the first axis."""
    return {
        "field": (), "draws": (members, TERMS), "mean": (TERMS,), "spread": (), "noise": (),
        "low": (), "grid": (POINTS,), "others": (POINTS, len(FIELDS)), "follows": (len(FIELDS),),
    }  # fmt: skip


def _grids(seen: Transitions) -> list[tuple[Floats, float]]:
    """Grid and lower bound of each node; nodes that have seen little use the range of all."""
    size = len(seen.nodes)
    low, high = np.full(size, np.inf), np.full(size, -np.inf)
    np.minimum.at(low, seen.node, np.minimum(seen.now, seen.after))
    np.maximum.at(high, seen.node, np.maximum(seen.now, seen.after))
    most, found = float((high - low).max()), []
    for k in range(size):
        top = max(float(high[k]), float(low[k]) + most) + BEYOND * most
        bound = float(seen.low[k]) if np.isfinite(seen.low[k]) else 0.0
        start = bound if np.isfinite(seen.low[k]) else max(0.0, float(low[k]) - 0.1 * most)
        found.append((np.linspace(start, top, POINTS), bound))
    return found


Companions = Callable[[Floats], Floats]


def _companions(
    system: SystemModel, group: Relevant
) -> tuple[Companions, NDArray[np.bool_], list[tuple[Floats, float]]]:
    """What the other fields are at a value of this one, and which follow it; grids of the nodes."""
    (tier,) = (
        t for t in system.history.rows
        if system.history.of(t)[0, NODE] in group.seen.nodes
    )  # fmt: skip
    seen = system.history.of(tier)[:, BEFORE:AFTER]
    x, follows = seen[:, group.field], np.zeros(len(FIELDS), dtype=bool)
    edges = np.linspace(x.min(), x.max() + 1e-9, BINS + 1)
    bin_ = np.clip(np.searchsorted(edges, x, side="right") - 1, 0, BINS - 1)
    count = np.bincount(bin_, minlength=BINS)
    used = count > 0
    sums = np.stack([np.bincount(bin_, y, BINS) for y in seen.T], axis=1)
    means: Floats = sums / np.maximum(count, 1)[:, None]
    for f in range(len(FIELDS)):
        rest = ((seen[:, f] - means[bin_, f]) ** 2).mean()
        varies = f != group.field and seen[:, f].std() > 1e-9
        follows[f] = varies and rest < (1.0 - EXPLAINED) * seen[:, f].var()

    def at(grid: Floats) -> Floats:
        middle = means[used, group.field]
        return np.stack([np.interp(grid, middle, m) for m in means[used].T], axis=1)

    return at, follows, _grids(group.seen)
