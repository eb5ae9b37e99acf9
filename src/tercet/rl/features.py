"""From (device, option, load, condition) to features, for any number of devices and edges.

A row is one prediction to make: device i under option o when its node serves `load` devices. It
has a few sparse columns (device, option, node, load; `feature_layout.py`) and a dense vector z, the
input of the hidden layer. Identity is not in z, so z has the same width on every platform.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tercet.rl.experience import State
from tercet.rl.feature_layout import KNOTS, SIGNALS, TIERS, Layout
from tercet.rl.platform import Platform

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

Profile = Mapping[str, Mapping[str, float]]
"""Measured compute, node (device, edge or cloud) -> variant -> ms; either may be missing."""

PROFILE_UNIT = 50.0
"""Milliseconds of compute that count as one unit of profile; any constant would do, for the bias
absorbs it."""

LINK_UNIT = 10.0
"""Milliseconds of round trip that count as one unit of link (log1p); the paper's weak limit."""


@dataclass(frozen=True, slots=True)
class Rows:
    """R rows: sparse columns with values, [R, Z] each, and the hidden layer's input z, [R, F]."""

    columns: Integers
    values: Floats
    z: Floats

    def __len__(self) -> int:
        return len(self.columns)

    def __getitem__(self, index: Integers | slice) -> Rows:
        return Rows(self.columns[index], self.values[index], self.z[index])

    @classmethod
    def join(cls, parts: Sequence[Rows]) -> Rows:
        """All rows of `parts`, in order; shorter ones are padded with zeros in column 0."""
        rows, widest = sum(map(len, parts)), max(p.columns.shape[1] for p in parts)
        columns, values = np.zeros((rows, widest), dtype=np.int64), np.zeros((rows, widest))
        first = 0
        for p in parts:
            here = (slice(first, first + len(p)), slice(p.columns.shape[1]))
            columns[here], values[here] = p.columns, p.values
            first += len(p)
        return cls(columns, values, np.concatenate([p.z for p in parts]))

    def sparse_dot(self, weights: Floats) -> Floats:
        """Sparse part of the prediction: `weights` [..., D] -> [..., R]."""
        dot: Floats = (weights[..., self.columns] * self.values).sum(axis=-1)
        return dot

    def dense(self, width: int) -> Floats:
        """The sparse columns written out, [R, width]."""
        flat = (np.arange(len(self))[:, None] * width + self.columns).ravel()
        out = np.bincount(flat, weights=self.values.ravel(), minlength=len(self) * width)
        return out.reshape(len(self), width).astype(np.float64, copy=False)


def signals(platform: Platform, state: State) -> Floats:
    """Condition of each device with its edge and the cloud, [n, len(SIGNALS)]."""
    cloud = state.node(platform.cloud)
    found = []
    for device, edge in zip(platform.devices, platform.home, strict=True):
        here = []
        for node in (state.node(device), state.node(edge)):
            link = float(np.log1p(max(node.link_ms, 0.0) / LINK_UNIT))
            here += [link, float(node.weak), node.cpu, node.memory]
        found.append([*here, cloud.cpu, cloud.memory])
    return np.array(found, dtype=np.float64).reshape(-1, len(SIGNALS))


def profile_feature(platform: Platform, profile: Profile | None) -> Floats:
    """Logarithm of the measured compute of each option's node, in units, [n, O].

    The unit is fixed, so that it does not depend on which nodes are there. A missing entry is the
    average of the others; all are zero when there is no profile at all.
    """
    known = np.full((len(platform.devices), len(platform.options)), np.nan)
    for i, device in enumerate(platform.devices):
        for k, option in enumerate(platform.options):
            ms = (profile or {}).get(platform.node(device, option), {}).get(option.variant, 0.0)
            if ms > 0:
                known[i, k] = np.log(ms / PROFILE_UNIT)
    if np.isnan(known).all():
        return np.zeros_like(known)
    filled: Floats = np.nan_to_num(known, nan=float(np.nanmean(known)))
    return filled


def knot_weights(load: Floats) -> tuple[Integers, Floats]:
    """The two knots around each load and its interpolation weights, [R, 2] both."""
    position = np.clip(np.log(np.maximum(load, 1.0)), 0.0, np.log(KNOTS[-1]))
    right = np.clip(np.searchsorted(np.log(KNOTS), position), 1, len(KNOTS) - 1)
    low, high = np.log(KNOTS[right - 1]), np.log(KNOTS[right])
    share = (position - low) / (high - low)
    return np.stack([right - 1, right], axis=1), np.stack([1.0 - share, share], axis=1)


Entry = tuple[str, Integers | int, Floats | float]
"""One sparse column of many rows: its group, the index within the group, and the value."""


@dataclass(frozen=True)
class FeatureEncoder:
    """Encodes (device, option, load) on one platform in one state as rows."""

    layout: Layout
    signal: Floats
    profile: Floats

    @classmethod
    def of(cls, layout: Layout, state: State, profile: Profile | None = None) -> FeatureEncoder:
        """For a state and the measured profiles."""
        platform = layout.platform
        return cls(layout, signals(platform, state), profile_feature(platform, profile))

    def rows(self, device: Integers, option: Integers, load: Floats) -> Rows:
        """One row per entry; `device` indexes platform.devices, `load` is the node's, all [R]."""
        tier = np.array([TIERS.index(o.tier) for o in self.layout.platform.options])[option]
        level = np.log(np.maximum(load, 1.0)) * (tier > 0)
        entries = [
            *self._identity(device, option, tier, level),
            *self._load_curve(device, tier, load),
            *self._condition(device, option, level),
        ]
        columns = np.zeros((len(device), len(entries)), dtype=np.int64)
        values = np.zeros((len(device), len(entries)))
        for k, (group, index, value) in enumerate(entries):
            columns[:, k] = self.layout.start[group] + index
            values[:, k] = value
        return Rows(columns, values, self._hidden_input(device, option, tier, level))

    def _node(self, device: Integers, tier: Integers) -> Integers:
        """Node index of each row: home edge, or the cloud; meaningless for local options."""
        platform = self.layout.platform
        home = np.array([platform.edges.index(e) for e in platform.home], dtype=np.int64)
        node: Integers = np.where(tier == 2, len(platform.edges), home[device])
        return node

    def _identity(
        self, device: Integers, option: Integers, tier: Integers, level: Floats
    ) -> list[Entry]:
        """Device, option and node, each with its slope over the logarithm of load."""
        node, shared = self._node(device, tier), (tier > 0).astype(np.float64)
        options = len(self.layout.platform.options)
        return [
            ("bias", 0, 1.0),
            ("option", option, 1.0),
            ("load.slope", 0, level),
            ("node", node, shared),
            ("node.slope", node, level),
            ("device", device, 1.0),
            ("device.tier", device * len(TIERS) + tier, 1.0),
            ("device.option", device * options + option, 1.0),
            ("device.slope", device, level),
            ("profile", 0, self.profile[device, option]),
        ]

    def _load_curve(self, device: Integers, tier: Integers, load: Floats) -> list[Entry]:
        """Deviation of a node's curve from a straight line in log load."""
        node, shared = self._node(device, tier), (tier > 0).astype(np.float64)
        knot, weight = knot_weights(load)
        entries: list[Entry] = []
        for side in range(2):
            entries.append(("load.bend", knot[:, side], weight[:, side] * shared))
            where = node * len(KNOTS) + knot[:, side]
            entries.append(("node.bend", where, weight[:, side] * shared))
        return entries

    def _condition(self, device: Integers, option: Integers, level: Floats) -> list[Entry]:
        """Signals that are not zero everywhere: as such, per option, and per log load."""
        options, entries = len(self.layout.platform.options), list[Entry]()
        for s in np.flatnonzero(self.signal.any(axis=0)).tolist():
            value = self.signal[device, s]
            entries.append(("signal", s, value))
            entries.append(("signal.option", s * options + option, value))
            entries.append(("signal.slope", s, value * level))
        return entries

    def _hidden_input(
        self, device: Integers, option: Integers, tier: Integers, level: Floats
    ) -> Floats:
        """The dense vector z, [R, F]."""
        parts = (
            np.eye(len(self.layout.platform.options))[option],
            np.eye(len(TIERS))[tier],
            level[:, None],
            self.signal[device],
            self.profile[device, option][:, None],
        )
        z: Floats = np.concatenate(parts, axis=1)
        return z
