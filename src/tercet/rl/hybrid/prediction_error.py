"""Prediction error of the present parameters on each round, before it is learned from."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tercet.rl.experience import Experience
from tercet.rl.feature_layout import Layout
from tercet.rl.features import Profile
from tercet.rl.hybrid.training_batch import training_batch
from tercet.rl.network import Parameters, align, hidden_width, log_response
from tercet.rl.platform import Platform

WINDOW = 50
"""Rounds over which the error is averaged."""


def log_errors(
    parameters: Parameters, platform: Platform, seen: Experience, profile: Profile | None = None
) -> NDArray[np.float64]:
    """Predicted less measured log milliseconds, [R]; censored labels and unknown devices left out.

    The prediction is the mean of the members. Where only the mean was measured, [1] of its log.
    """
    layout = Layout(platform, hidden_width(parameters))
    batch = training_batch(layout, seen, profile)
    if batch is None:
        return np.zeros(0)
    mean, _ = align(parameters, layout, None)
    expected = log_response(parameters, layout, batch.rows, mean).mean(axis=0)
    if batch.mean_only:
        expected = np.log([np.exp(expected).mean()])
    errors: NDArray[np.float64] = (expected - batch.labels)[~batch.bound]
    return errors


@dataclass
class PredictionError:
    """Root mean square error over the latest rounds."""

    squares: deque[NDArray[np.float64]] = field(default_factory=lambda: deque(maxlen=WINDOW))

    def add(self, errors: NDArray[np.float64]) -> None:
        """Take in the errors of one round."""
        if len(errors):
            self.squares.append(errors**2)

    @property
    def error(self) -> float | None:
        """In log units; None before there was a prediction."""
        if not self.squares:
            return None
        return float(np.sqrt(np.concatenate(list(self.squares)).mean()))
