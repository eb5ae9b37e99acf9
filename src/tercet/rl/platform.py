"""A platform as it is known before any measurement: devices, nodes, options."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tercet.rl.options import OPTIONS, Option


@dataclass(frozen=True)
class Platform:
    """Devices and their home edges, the options and their accuracies. No timings."""

    devices: tuple[str, ...]
    home: tuple[str, ...]
    """Home edge of each device, aligned with `devices`."""
    accuracy: Mapping[str, float]
    """Variant to accuracy in percent."""
    options: tuple[Option, ...] = OPTIONS
    cloud: str = "cloud"
    lacking: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Node to variants that it cannot run, though others of its tier can."""
    allowed: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Device to the tiers ("L", "E", "C") that its requests may use; all where missing."""
    host: Mapping[str, str] = field(default_factory=dict)
    """Row to the node that its local options run on; the row's own name where missing. A device
    with several families has one row each, `device/family`, and one host."""
    group: Mapping[str, str] = field(default_factory=dict)
    """Row to its goal group; "" where missing. Each group has an accuracy goal of its own."""
    variants: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Row to the variants that answer its requests (its family's); all where missing."""
    deadline_ms: float = math.inf
    """A request costs at most this much."""

    def __post_init__(self) -> None:
        if len(self.home) != len(self.devices):
            raise ValueError(f"{len(self.devices)} devices but {len(self.home)} home edges")
        if len(set(self.devices)) != len(self.devices):
            raise ValueError("a device is named twice")
        missing = {o.variant for o in self.options} - self.accuracy.keys()
        if missing:
            raise ValueError(f"no accuracy for {', '.join(sorted(missing))}")

    @cached_property
    def edges(self) -> tuple[str, ...]:
        """Every edge once, in the order in which devices name them."""
        return tuple(dict.fromkeys(self.home))

    @cached_property
    def option_accuracy(self) -> NDArray[np.float64]:
        """Accuracy in percent of each option, [O]."""
        return np.array([self.accuracy[o.variant] for o in self.options])

    @cached_property
    def index(self) -> dict[Option, int]:
        """Position of each option in `options`."""
        return {option: k for k, option in enumerate(self.options)}

    def node(self, device: str, option: Option) -> str:
        """Name the node on which `option` runs for `device`."""
        if option.tier == "L":
            return self.host.get(device, device)
        return self.cloud if option.tier == "C" else self.home[self.devices.index(device)]

    def offers(self, device: str, option: Option) -> bool:
        """Whether `device` may use `option`, and the node on which it would run can run it."""
        lacks = self.lacking.get(self.node(device, option), frozenset())
        permitted, variants = self.allowed.get(device), self.variants.get(device)
        if variants is not None and option.variant not in variants:
            return False
        return option.variant not in lacks and (permitted is None or option.tier in permitted)


Assignment = Mapping[str, Option]
"""One option per active device: the joint action of one round."""


def encode(platform: Platform, devices: Sequence[str], assignment: Assignment) -> NDArray[np.int64]:
    """Return the option's index for each of `devices`, [n]; KeyError if a device has none."""
    return np.array([platform.index[assignment[d]] for d in devices], dtype=np.int64)


def decode(
    platform: Platform, devices: Sequence[str], choice: Sequence[int] | NDArray[np.int64]
) -> dict[str, Option]:
    """The inverse of `encode`."""
    return {d: platform.options[int(k)] for d, k in zip(devices, choice, strict=True)}


def mean_accuracy(platform: Platform, assignment: Assignment) -> float:
    """Average accuracy in percent over the devices of `assignment`."""
    return float(np.mean([platform.accuracy[o.variant] for o in assignment.values()]))


def loads(
    platform: Platform, assignment: Assignment, measured: dict[str, float] | None = None
) -> dict[str, float]:
    """Load of every node in use: devices assigned to it, or the concurrency measured there."""
    counted: dict[str, float] = {}
    for device, option in assignment.items():
        node = platform.node(device, option)
        counted[node] = counted.get(node, 0.0) + 1.0
    return {node: (measured or {}).get(node, load) for node, load in counted.items()}
