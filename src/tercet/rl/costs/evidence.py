"""Labels: what was measured, merged where the same was measured again.

A label is the logarithm of a weighted sum of parts, each a sum of effects: the response of a row is
service plus network, the mean of a window is over both parts of every row, a reported part is one
part alone. So all three feedback modes are one kind of label.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

NOWHERE = -1
"""Place of a label that belongs to no single place: the mean of a window, a network part."""


class Table:
    """Arrays of one length that grow together."""

    def __init__(self, **columns: NDArray[np.generic]) -> None:
        self._columns = columns
        self.count = 0

    def __getitem__(self, name: str) -> NDArray[np.generic]:
        """Rows in use; a view."""
        return self._columns[name][: self.count]

    def append(self, count: int, **values: object) -> Integers:
        """Append `count` rows, zero where no value is given; return their positions."""
        need = self.count + count
        for name, column in self._columns.items():
            if need > len(column):
                grown = np.zeros((max(need, 2 * len(column)), *column.shape[1:]), column.dtype)
                grown[: self.count] = column[: self.count]
                self._columns[name] = grown
        at = np.arange(self.count, need)
        self.count = need
        for name, column in self._columns.items():
            column = self._columns[name]
            column[at] = values.get(name, 0)  # type: ignore[call-overload]
        return at

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

    def take(self, rows: Integers) -> Part:
        """Only `rows`."""
        return Part(self.columns[rows], self.values[rows], self.service, self.level[rows])


def _labels() -> Table:
    zero, whole = np.zeros(0), np.zeros(0, dtype=np.int64)
    names = ("log", "square", "weight", "seen", "body", "late", "late_sum", "time", "factor", "level")
    return Table(
        **{name: zero for name in names}, key=whole, place=whole, bucket=whole, cell=whole,
        row=whole,
    )  # fmt: skip


def _parts() -> Table:
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
        self, key: Integers, log: Floats, weight: Floats, time: float, parts: list[Part],
        **facts: object,
    ) -> Integers:
        """Merge R labels of identity `key` with what is known under it; return their positions.

        `facts` (place, bucket, cell, row, factor) are stored with a new label only.
        """
        known = self.find(key)
        fresh = np.flatnonzero(known < 0)
        if len(fresh):
            chosen = {k: np.asarray(v)[fresh] for k, v in facts.items()}
            at = self.labels.append(len(fresh), key=key[fresh], time=time, **chosen)
            known[fresh] = at
            self._position.update(zip(key[fresh].tolist(), at.tolist(), strict=True))
            for part in parts:
                self._append(at, part, fresh, np.ones(len(fresh)))
        table = self.labels
        fade = np.exp((table["time"][known] - time) / self.memory)
        for name in ("weight", "square", "seen", "body", "late", "late_sum"):
            table[name][known] *= fade
        before = table["weight"][known]
        table["log"][known] = (before * table["log"][known] + weight * log) / (before + weight)
        table["square"][known] += weight * log**2
        table["weight"][known] = before + weight
        table["time"][known] = time
        return known

    def find(self, key: Integers) -> Integers:
        """Position of each label, same shape; -1 for a new one."""
        found = [self._position.get(int(k), -1) for k in key]
        return np.array(found, dtype=np.int64)

    def add_mean(
        self, key: int, log: float, time: float, share: Floats, parts: list[Part]
    ) -> None:
        """One label of identity `key` that is a mean over R rows with weights `share` [R]."""
        known = self._position.get(key)
        if known is None:
            factor = float(1.0 / (share**2).sum())
            at = self.labels.append(
                1, log=log, square=log**2, weight=1.0, time=time, place=NOWHERE, cell=NOWHERE,
                row=NOWHERE, factor=factor, key=key,
            )  # fmt: skip
            self._position[key] = int(at[0])
            for part in parts:
                self._append(np.repeat(at, len(share)), part, np.arange(len(share)), share)
            return
        table = self.labels
        fade = float(np.exp((table["time"][known] - time) / self.memory))
        before = table["weight"][known] * fade
        table["log"][known] = (before * table["log"][known] + log) / (before + 1.0)
        table["square"][known] = table["square"][known] * fade + log**2
        table["weight"][known], table["time"][known] = before + 1.0, time

    def _append(self, label: Integers, part: Part, rows: Integers, share: Floats) -> None:
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
        self._position = {k: i for i, k in enumerate(keys) if k != NOWHERE}

    def weights(self, time: float) -> Floats:
        """Present weight of each label, [N]."""
        faded: Floats = self.labels["weight"] * np.exp((self.labels["time"] - time) / self.memory)
        return faded

