"""Labels: what was measured, merged where the same was measured again.

A label is the logarithm of a weighted sum of parts, each a sum of effects: the response of a row is
service plus network, the mean of a window is over both parts of every row, a reported part is one
part alone. So all three feedback modes are one kind of label.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

NOWHERE = -1
"""Place of a label that belongs to no single place: the mean of a window, a network part."""

FADING = ("seen", "body", "late", "late_sum")
"""Sums of a label that lose weight as the label does."""


class Table:
    """Arrays of one length that grow together."""

    def __init__(self, **columns: NDArray[Any]) -> None:
        self._columns = columns
        self.count = 0

    def __getitem__(self, name: str) -> NDArray[Any]:
        """Rows in use; a view."""
        return self._columns[name][: self.count]

    def append(self, count: int, **values: object) -> Integers:
        """Append `count` rows, zero where no value is given; return their positions.

        A value without a column of its name is left out.
        """
        at = np.arange(self.count, self.count + count)
        self._reserve(self.count + count)
        self.count += count
        for name, column in self._columns.items():
            column[at] = np.asarray(values.get(name, 0))
        return at

    def _reserve(self, need: int) -> None:
        """Make room for `need` rows, and for as many again as there is room for."""
        for name, column in self._columns.items():
            if need > len(column):
                grown = np.zeros((max(need, 2 * len(column)), *column.shape[1:]), column.dtype)
                grown[: self.count] = column[: self.count]
                self._columns[name] = grown

    def keep(self, rows: NDArray[np.bool_]) -> None:
        """Keep only `rows` [count]."""
        for name in self._columns:
            self._columns[name] = self[name][rows].copy()
        self.count = int(rows.sum())

    def widen(self, name: str, width: int) -> None:
        """Pad a two-dimensional column with zeros to at least `width`."""
        column = self._columns[name]
        if column.shape[1] < width:
            wide = np.zeros((len(column), width), column.dtype)
            wide[:, : column.shape[1]] = column
            self._columns[name] = wide


@dataclass(frozen=True, slots=True)
class Part:
    """One part of each of R labels."""

    columns: Integers
    """Effects, [R, Z]."""
    values: Floats
    """Their values, [R, Z]."""
    service: bool
    """Whether it is a service part, which the level of its place moves."""
    level: Floats
    """Level of the place when it was measured, or the amount that waited, log units, [R]."""

    def and_effect(self, column: Integers) -> Part:
        """With one more effect each, `column` [R], of value 1."""
        columns = np.concatenate([self.columns, column[:, None]], axis=1)
        values = np.concatenate([self.values, np.ones((len(column), 1))], axis=1)
        return Part(columns, values, self.service, self.level)

    def take(self, rows: Integers) -> Part:
        """Only `rows`."""
        return Part(self.columns[rows], self.values[rows], self.service, self.level[rows])


def _labels() -> Table:
    """Log and square: mean and weighted sum of squares of logarithms. Factor: labels that one of
    it is worth. Seen, body, late, late_sum: counts and milliseconds, as in `ratios.Residual`."""
    numbers = ("log", "square", "weight", *FADING, "time", "factor", "level")
    return Table(
        **{name: np.zeros(0) for name in numbers},
        **{name: np.zeros(0, dtype=np.int64) for name in ("key", "place", "bucket", "cell", "row")},
    )


def _parts() -> Table:
    """Columns as in `mixed_model.Design`."""
    return Table(
        label=np.zeros(0, dtype=np.int64),
        share=np.zeros(0),
        level=np.zeros(0),
        service=np.zeros(0, dtype=bool),
        column=np.zeros((0, 8), dtype=np.int64),
        value=np.zeros((0, 8)),
    )


@dataclass
class Evidence:
    """N labels over C parts; labels that are not seen for long count less and less."""

    memory: float
    """Windows after which the weight of a label is 1/e of a new one's."""
    capacity: int = 4000
    """Labels kept at most, and never fewer than forty a row."""
    labels: Table = field(default_factory=_labels)
    parts: Table = field(default_factory=_parts)
    _position: dict[int, int] = field(default_factory=dict)

    def add(
        self,
        key: Integers,
        log: Floats,
        weight: Floats,
        time: float,
        parts: list[Part],
        **facts: object,
    ) -> Integers:
        """Merge R labels with what is known under their identities; return their positions, [R].

        `key` [R] are the identities, each once, `log` [R] logarithms of milliseconds, `weight` [R]
        labels that each is worth, `time` a window. `facts` [R] (place, bucket, cell, row,...)
        and `parts` are stored with a new label only.
        """  # fmt: skip
        known = self.find(key)
        fresh = np.flatnonzero(known < 0)
        if len(fresh):
            chosen = {k: np.asarray(v)[fresh] for k, v in facts.items()}
            at = self.labels.append(len(fresh), key=key[fresh], time=time, **chosen)
            known[fresh] = at
            self._position.update(zip(key[fresh].tolist(), at.tolist(), strict=True))
            for part in parts:
                self._append(at, part, fresh, np.ones(len(fresh)))
        self._merge(known, log, weight, time)
        return known

    def _merge(self, at: Integers, log: Floats, weight: Floats, time: float) -> None:
        """Fade what is known of the labels at `at` [R], and average it with the new ones."""
        table = self.labels
        fade = np.exp((table["time"][at] - time) / self.memory)
        for name in ("weight", "square", *FADING):
            table[name][at] *= fade
        before = table["weight"][at]
        table["log"][at] = (before * table["log"][at] + weight * log) / (before + weight)
        table["square"][at] += weight * log**2
        table["weight"][at] = before + weight
        table["time"][at] = time

    def find(self, key: Integers) -> Integers:
        """Position of each label of identity `key` [R], [R]; -1 for a new one."""
        found = [self._position.get(int(k), -1) for k in key]
        return np.array(found, dtype=np.int64)

    def of(self, name: str, at: Integers, otherwise: Floats) -> Floats:
        """A column of the labels at `at` [R], and `otherwise` [R] where it is -1; [R]."""
        known = at >= 0
        found = otherwise.copy()
        found[known] = self.labels[name][at[known]]
        return found

    def add_mean(self, key: int, log: float, time: float, share: Floats, parts: list[Part]) -> None:
        """One label of identity `key` that is a mean over R rows with weights `share` [R]."""
        if key not in self._position:
            factor = float(1.0 / (share**2).sum())
            at = self.labels.append(
                1, time=time, place=NOWHERE, cell=NOWHERE, row=NOWHERE, factor=factor, key=key
            )
            self._position[key] = int(at[0])
            for part in parts:
                self._append(np.repeat(at, len(share)), part, np.arange(len(share)), share)
        known = np.array([self._position[key]])
        self._merge(known, np.array([log]), np.ones(1), time)

    def _append(self, label: Integers, part: Part, rows: Integers, share: Floats) -> None:
        """Add `rows` [r] of a part to the labels at `label` [r], weighted by `share` [r]."""
        width = part.columns.shape[1]
        for name in ("column", "value"):
            self.parts.widen(name, width)
        at = self.parts.append(
            len(rows), label=label, share=share, level=part.level[rows], service=part.service
        )
        self.parts["column"][at, :width] = part.columns[rows]
        self.parts["value"][at, :width] = part.values[rows]

    def trim(self, rows: int) -> None:
        """Drop the labels that were not seen for longest, beyond what is kept."""
        most = max(self.capacity, 40 * rows)
        if self.labels.count <= most:
            return
        order = np.argsort(self.labels["time"], kind="stable")
        keep = np.ones(self.labels.count, dtype=bool)
        keep[order[: self.labels.count - most * 3 // 4]] = False
        moved = np.cumsum(keep) - 1
        self.parts.keep(keep[self.parts["label"]])
        self.labels.keep(keep)
        self.parts["label"][:] = moved[self.parts["label"]]
        keys = self.labels["key"].tolist()
        self._position = {k: i for i, k in enumerate(keys)}

    def weights(self, time: float) -> Floats:
        """Present weight of each label, [N]."""
        faded: Floats = self.labels["weight"] * np.exp((self.labels["time"] - time) / self.memory)
        return faded
