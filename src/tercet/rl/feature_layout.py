"""Where each feature lives: named columns, in groups that share one prior.

Columns are named by what they stand for (`device:pi-1`, `node:edge-2`), so parameters trained on
one platform carry over to another in which devices or edges have joined or left.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from tercet.rl.options import Option
from tercet.rl.platform import Platform

KNOTS = np.array([1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 512, 1024.0])
"""Loads at which a node's curve may bend away from a straight line in log load."""

SIGNALS = (
    *(f"device.{name}" for name in ("link", "weak", "cpu", "memory")),
    *(f"edge.{name}" for name in ("link", "weak", "cpu", "memory")),
    *(f"cloud.{name}" for name in ("cpu", "memory")),
)
"""The signals of a device, its home edge and the cloud."""

TIERS = ("L", "E", "C")


@dataclass(frozen=True, slots=True)
class Group:
    """Columns with a common prior: N(mean, scale²) on the logarithm of milliseconds."""

    name: str
    scale: float
    """First guess of the spread; the evidence corrects it (`tercet.rl.bayesian_regressor`)."""
    mean: float = 0.0


GROUPS = (
    Group("bias", 10.0),
    Group("option", 1.0),
    # A shared node is somewhere between indifferent to load (0) and strictly serial (1).
    Group("load.slope", 0.5, mean=0.5),
    Group("load.bend", 0.2),
    Group("node", 0.5),
    Group("node.slope", 0.3),
    Group("node.bend", 0.2),
    Group("device", 0.5),
    Group("device.tier", 0.3),
    Group("device.option", 0.2),
    Group("device.slope", 0.2),
    Group("signal", 0.5),
    Group("signal.option", 0.3),
    Group("signal.slope", 0.3),
    # A measured profile is taken as proportional until outcomes differ.
    Group("profile", 0.5, mean=1.0),
    Group("hidden", 0.5),
)
"""Weakly informative priors in log units, as a factor of e between options."""

GROUP_INDEX = {group.name: k for k, group in enumerate(GROUPS)}


@dataclass(frozen=True)
class Layout:
    """Columns for one platform; `hidden` is the width of the network's hidden layer."""

    platform: Platform
    hidden: int

    @cached_property
    def nodes(self) -> tuple[str, ...]:
        """Shared nodes: edges, then the cloud."""
        return (*self.platform.edges, self.platform.cloud)

    @cached_property
    def columns(self) -> dict[str, tuple[str, ...]]:
        """Column names of each group, in order."""
        options = [str(o) for o in self.platform.options]
        devices, nodes = self.platform.devices, self.nodes
        knots = [f"{k:g}" for k in KNOTS]
        return {
            "bias": ("bias",),
            "option": tuple(f"option:{o}" for o in options),
            "load.slope": ("load.slope",),
            "load.bend": tuple(f"load.bend:{k}" for k in knots),
            "node": tuple(f"node:{x}" for x in nodes),
            "node.slope": tuple(f"node.slope:{x}" for x in nodes),
            "node.bend": tuple(f"node.bend:{x}:{k}" for x in nodes for k in knots),
            "device": tuple(f"device:{d}" for d in devices),
            "device.tier": tuple(f"device.tier:{d}:{t}" for d in devices for t in TIERS),
            "device.option": tuple(f"device.option:{d}:{o}" for d in devices for o in options),
            "device.slope": tuple(f"device.slope:{d}" for d in devices),
            "signal": tuple(f"signal:{s}" for s in SIGNALS),
            "signal.option": tuple(f"signal.option:{s}:{o}" for s in SIGNALS for o in options),
            "signal.slope": tuple(f"signal.slope:{s}" for s in SIGNALS),
            "profile": ("profile",),
            "hidden": tuple(f"hidden:{h}" for h in range(self.hidden)),
        }

    @cached_property
    def start(self) -> dict[str, int]:
        """First column of each group."""
        sizes = [len(self.columns[group.name]) for group in GROUPS]
        firsts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
        return {group.name: int(first) for group, first in zip(GROUPS, firsts, strict=True)}

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Every column's name, [D]."""
        return tuple(name for group in GROUPS for name in self.columns[group.name])

    @cached_property
    def group(self) -> NDArray[np.int64]:
        """Group index of every column, [D]."""
        sizes = [len(self.columns[group.name]) for group in GROUPS]
        return np.repeat(np.arange(len(GROUPS)), sizes)

    @cached_property
    def prior_mean(self) -> NDArray[np.float64]:
        """Prior mean of every column, [D]."""
        return np.array([group.mean for group in GROUPS])[self.group]

    def device_columns(self, device: str) -> NDArray[np.int64]:
        """Columns of one device alone, [k]."""
        groups = ("device", "device.tier", "device.option", "device.slope")
        names = {f"{group}:{device}" for group in groups}
        return np.array(
            [k for k, name in enumerate(self.names) if ":".join(name.split(":")[:2]) in names],
            dtype=np.int64,
        )

    @property
    def width(self) -> int:
        """Number of columns, D."""
        return len(self.names)

    @property
    def inputs(self) -> int:
        """Width of the hidden layer's input, F (see `tercet.rl.features`)."""
        return len(self.platform.options) + len(TIERS) + 1 + len(SIGNALS) + 1


def layout_of(platform: Platform, hidden: int) -> Layout:
    """The layout of `platform`, cached: naming every column takes longer than a prediction."""
    accuracy = tuple(platform.accuracy.items())
    key = (platform.devices, platform.home, accuracy, platform.options, platform.cloud)
    return _layout(*key, hidden)


@lru_cache(maxsize=32)
def _layout(
    devices: tuple[str, ...],
    home: tuple[str, ...],
    accuracy: tuple[tuple[str, float], ...],
    options: tuple[Option, ...],
    cloud: str,
    hidden: int,
) -> Layout:
    return Layout(Platform(devices, home, dict(accuracy), options, cloud), hidden)
