"""The rows and labels of one experience, for the exact last layer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tercet.rl.experience import Experience
from tercet.rl.feature_layout import Layout
from tercet.rl.features import FeatureEncoder, Profile, Rows
from tercet.rl.platform import loads

Floats = NDArray[np.float64]

MIN_RESPONSE_MS = 1e-3
"""Shortest response time that is accepted; keeps the logarithm finite."""


@dataclass(frozen=True, slots=True)
class TrainingBatch:
    """Rows of the devices with their labels, or all devices with one label for their mean."""

    devices: tuple[str, ...]
    """Devices labelled; for a mean, one placeholder."""
    rows: Rows
    labels: Floats
    """Log milliseconds, [R]; or [1] when `mean_only`."""
    bound: NDArray[np.bool_]
    """Which labels are lower bounds, same shape."""
    mean_only: bool


def _rows(
    layout: Layout, experience: Experience, devices: list[str], profile: Profile | None
) -> Rows:
    """One row per device of `devices` as it was executed."""
    platform, assignment = layout.platform, experience.assignment
    measured = None if experience.load is None else dict(experience.load)
    load = loads(platform, assignment, measured)
    return FeatureEncoder.of(layout, experience.state, profile).rows(
        np.array([platform.devices.index(d) for d in devices], dtype=np.int64),
        np.array([platform.index[assignment[d]] for d in devices], dtype=np.int64),
        np.array([load[platform.node(d, assignment[d])] for d in devices]),
    )


def training_batch(
    layout: Layout, experience: Experience, profile: Profile | None = None
) -> TrainingBatch | None:
    """Read an experience; None when it has no label of a device of the platform."""
    known = [d for d in experience.assignment if d in layout.platform.devices]
    if experience.response_ms:
        known = [d for d in known if d in experience.response_ms]
        if not known:
            return None
        ms = np.array([experience.response_ms[d] for d in known])
        bound = np.array([d in experience.censored for d in known])
        rows = _rows(layout, experience, known, profile)
        labels = np.log(np.maximum(ms, MIN_RESPONSE_MS))
        return TrainingBatch(tuple(known), rows, labels, bound, mean_only=False)
    if not known:
        return None
    rows = _rows(layout, experience, known, profile)
    label = np.log([max(experience.average_ms, MIN_RESPONSE_MS)])
    bound = np.array([bool(experience.censored)])
    return TrainingBatch(("mean",), rows, label, bound, mean_only=True)
