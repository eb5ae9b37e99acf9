"""Which rows report everything longer, or shorter, than the others do, wherever a request ran.

A slow device computes slowly, but on shared nodes it waits no longer than the others do. A row that
is far off at every place that it uses, on the same side, may have a factor of its own, which says
nothing about nodes or paths. All other rows have none, so they are predicted as if there were no
such factors.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tercet.rl.costs.effects import INDEX
from tercet.rl.costs.evidence import NOWHERE, Table
from tercet.rl.costs.mixed_model import MAX_LOG

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Booleans = NDArray[np.bool_]

HURDLE = float(np.log(2.5))
"""Least size of what a row is off by on average, log units."""
DEVIATIONS = 2.0
"""Standard errors that it is off by at least at each of its places."""
MIN_LABELS = 2.0
"""Labels of a row from which it may have a factor."""
PRIOR_LABELS = 2.0
"""Labels that the usual noise counts for in the variance of a row at a place."""

OF_ROW = (INDEX["device"], INDEX["device.path"], INDEX["row"])
OF_NODE = tuple(INDEX[name] for name in ("node", "node.variant", "node.load", "node.bend"))


def rows_apart(
    labels: Table,
    parts: Table,
    effects: tuple[Integers, Floats],
    noise: tuple[float, float],
    rows: int,
) -> Booleans:
    """Whether each row (number) may have a factor, [rows].

    `effects` are the group and the estimate of each effect, [D]; `noise` is the variance of one
    label, and of a cell whatever its labels.
    """  # fmt: skip
    found = np.zeros(rows, dtype=bool)
    whole = np.flatnonzero((labels["place"] != NOWHERE) & (labels["key"] & 3 == 0))
    if not len(whole):
        return found
    typical = _typical(labels, parts, *effects)
    row, place = labels["row"][whole], labels["place"][whole]
    pairs, at = np.unique((row << 32) + place, return_inverse=True)
    weight, log = labels["weight"][whole], labels["log"][whole]
    error = log - typical[whole]
    count = np.maximum(np.bincount(at, weight), 1e-9)
    mean = np.bincount(at, weight * error) / count
    # Around the mean: that within the labels, and that of the labels.
    squares = np.maximum(labels["square"][whole] - weight * log**2, 0.0)
    squares = np.bincount(at, squares + weight * (error - mean[at]) ** 2)
    variance = (PRIOR_LABELS * noise[0] + squares) / (PRIOR_LABELS + count) / count + noise[1]
    return _agreed(pairs >> 32, mean, variance, count, rows)


def _agreed(row: Integers, mean: Floats, variance: Floats, count: Floats, rows: int) -> Booleans:
    """Whether each row is far off on average, and on one side at all its places [P]; [rows]."""
    several = np.bincount(row, minlength=rows) >= 2
    total = np.maximum(np.bincount(row, count, rows), 1e-9)
    average = np.bincount(row, count * mean, rows) / total
    least = np.full(rows, np.inf)
    np.minimum.at(least, row, np.sign(average)[row] * mean - DEVIATIONS * np.sqrt(variance))
    return several & (total >= MIN_LABELS) & (least > 0.0) & (np.abs(average) > HURDLE)


def _typical(labels: Table, parts: Table, group: Integers, mean: Floats) -> Floats:
    """Logarithm of each label for a row like the others, [N]: without what is its own alone."""
    place, row = labels["place"], labels["row"]
    most = int(place.max()) + 2  # NOWHERE comes last.
    low, high = np.full(most, np.iinfo(np.int64).max), np.full(most, -1)
    np.minimum.at(low, place, row)
    np.maximum.at(high, place, row)
    alone = (low == high)[place]
    of = group[parts["column"]]
    own = np.isin(of, OF_ROW) | (np.isin(of, OF_NODE) & alone[parts["label"]][:, None])
    value = np.where(own, 0.0, mean[parts["column"]] * parts["value"]).sum(axis=1)
    raised = parts["share"] * np.exp(np.clip(value + parts["level"], -MAX_LOG, MAX_LOG))
    return np.asarray(np.log(np.maximum(np.bincount(parts["label"], raised, len(row)), 1e-300)))
