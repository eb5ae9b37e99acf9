"""Whether the outputs of a model are probabilities: from its graph and from a run, else asked for.

A softmax must be applied exactly once: a second one makes 0.371 of a probability of 0.886.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tercet.models.errors import ModelError
from tercet.models.onnx_inspection import Activation
from tercet.models.probabilities import SLACK, are_distributions, are_within_bounds

OutputKind = Literal["logits", "probabilities"]
PERCENT, PERCENT_SLACK = 100.0, 0.5


def are_probabilities(
    rows: NDArray[np.float32], activation: Activation, stated: OutputKind | None
) -> bool:
    """Whether these outputs [pictures, classes], of unlike pictures, are probabilities.

    `activation` is what the graph says. Raises `ModelError`, without the file, when the statement
    contradicts the run, or when it is missing and needed.
    """
    inside, positive = are_within_bounds(rows), float(rows.min()) >= -SLACK
    _check_scale(rows)
    found = are_distributions(rows) or (inside and activation == "probabilities")
    if stated is not None:
        return _checked(stated, found=found, inside=inside)
    if found or activation == "none" or not positive:
        return found
    raise ModelError(
        "outputs may be logits or probabilities: say --output logits or --output probabilities"
    )


def _check_scale(rows: NDArray[np.float32]) -> None:
    """Refuse percentages, and a softmax over a dimension of one."""
    sums = rows.sum(axis=1, dtype=np.float64)
    if rows.min() >= -SLACK and np.abs(sums - PERCENT).max() < PERCENT_SLACK:
        raise ModelError("outputs are percentages: export it without the factor of 100")
    if np.abs(rows - 1).max() <= SLACK:
        raise ModelError("every output is 1: export it with its softmax over the classes")


def _checked(stated: OutputKind, *, found: bool, inside: bool) -> bool:
    if stated == "logits" and found:
        raise ModelError("outputs are probabilities, not logits: leave --output out")
    if stated == "probabilities" and not inside:
        raise ModelError("outputs are not within 0 and 1, so no probabilities: leave --output out")
    return stated == "probabilities"
