"""The system model as plain arrays: what a planner needs to know of each relevant condition."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tercet.rl.planning.conditions import FIELDS
from tercet.rl.planning.node_value import POINTS
from tercet.rl.planning.relevance import Relevant, relevant
from tercet.rl.planning.system_model import SystemModel
from tercet.rl.planning.transitions import TERMS, Fit, fitted

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


def checked(parameters: Parameters, names: Sequence[str]) -> tuple[str, ...]:
    """The names of the nodes; raises ValueError for arrays that are missing or not finite."""
    missing = {*names, "names"} - parameters.keys()
    if missing:
        raise ValueError(f"parameters without {', '.join(sorted(missing))}")
    try:
        nodes = json.loads(np.asarray(parameters["names"], dtype=np.uint8).tobytes())
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"parameters: names cannot be read: {error}") from error
    for name in names:
        array = parameters[name]
        if len(array) != len(nodes):
            raise ValueError(f"parameters: {name} does not fit {len(nodes)} nodes")
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise ValueError(f"parameters: {name} is not finite")
    if len(nodes) and not (np.asarray(parameters["field"]) < len(FIELDS)).all():
        raise ValueError("parameters: field is unknown")
    return tuple(str(n) for n in nodes)


def to_parameters(system: SystemModel, members: int, seed: int = 0) -> Parameters:
    """All that is relevant of a system model; without entries where nothing is to be planned.

    Each member is a draw from the posterior, the same one for the same evidence and seed.
    """
    chosen = relevant(system)
    node = np.array([r.node for r in chosen], dtype=np.int64)
    f = np.array([r.field for r in chosen], dtype=np.int64)
    names = list(system.registry.nodes.number)
    packed = json.dumps([names[n] for n in node]).encode()
    empty = not len(chosen)
    fit = fitted(system.sums, node, f, system.tier) if not empty else None
    entries = [_entry(system, fit, k, r) for k, r in enumerate(chosen)] if fit else []
    shapes = {"grid": (POINTS,), "others": (POINTS, len(FIELDS)), "follows": (len(FIELDS),),
              "low": (), "spread": ()}  # fmt: skip
    found: Parameters = {
        name: np.array([e[name] for e in entries]).reshape(len(chosen), *shape)
        for name, shape in shapes.items()
    }
    found["names"] = np.frombuffer(packed, dtype=np.uint8)
    found["field"] = f
    found["mean"] = fit.mean if fit else np.zeros((0, TERMS))
    found["noise"] = fit.noise if fit else np.zeros(0)
    found["draws"] = _draws(fit, members, seed) if fit else np.zeros((0, members, TERMS))
    return found


def _draws(fit: Fit, members: int, seed: int) -> Floats:
    """Coefficients of each member, [E, M, TERMS]."""
    rng = np.random.default_rng((seed, 41))
    shape = (members, len(fit.mean), TERMS)
    return np.stack([fit.drawn(normal).mean for normal in rng.standard_normal(shape)], axis=1)


def _entry(system: SystemModel, fit: Fit, k: int, chosen: Relevant) -> dict[str, object]:
    """Grid, bound and companions of one condition."""
    sums, f = system.sums, chosen.field
    low, high = float(sums.low[chosen.node, f]), float(sums.high[chosen.node, f])
    bounded = bool(np.isfinite(fit.low[k]))
    bound = float(fit.low[k]) if bounded else 0.0
    start = bound if bounded or low <= 0.0 else max(bound, low - 0.1 * (high - low))
    grid = np.linspace(start, high + BEYOND * (high - low), POINTS)
    others, follows = _companions(system, chosen, grid)
    return {"grid": grid, "low": bound, "spread": float(fit.noise[k]), "others": others,
            "follows": follows}  # fmt: skip


def _companions(
    system: SystemModel, chosen: Relevant, grid: Floats
) -> tuple[Floats, NDArray[np.bool_]]:
    """Other conditions of such nodes at each point of the grid, [G, F], and which follow it."""
    seen = system.samples.get(int(system.tier[chosen.node]), np.zeros((0, len(FIELDS))))
    others, follows = np.zeros((len(grid), len(FIELDS))), np.zeros(len(FIELDS), dtype=bool)
    if len(seen) < 2 * BINS:
        return others, follows
    x = seen[:, chosen.field]
    edges = np.linspace(x.min(), x.max() + 1e-9, BINS + 1)
    bin_ = np.clip(np.searchsorted(edges, x, side="right") - 1, 0, BINS - 1)
    count = np.bincount(bin_, minlength=BINS)
    used = count > 0
    middle = (np.bincount(bin_, x, BINS)[used]) / count[used]
    for f in range(len(FIELDS)):
        y = seen[:, f]
        if f == chosen.field or y.std() < 1e-9:
            continue
        mean = np.bincount(bin_, y, BINS) / np.maximum(count, 1)
        follows[f] = ((y - mean[bin_]) ** 2).mean() < (1.0 - EXPLAINED) * y.var()
        others[:, f] = np.interp(grid, middle, mean[used])
    return others, follows
