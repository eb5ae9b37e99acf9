"""The content of an explanation, as plain data without a network."""

from __future__ import annotations

import math
from dataclasses import dataclass

from tercet.rl.options import Option

BOUND = 1.645
"""Standard deviations from the middle to the 5 % and the 95 % bound of a normal distribution."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """One option of one device under the present loads of the others."""

    option: Option
    node: str
    load: int
    """Devices on the node if this one chose it."""
    predicted_ms: float
    spread: float
    """Standard deviation of the logarithm of the expectation, for want of evidence."""
    sampled_ms: float | None
    """A sample from the posterior; None where nothing is sampled."""

    @property
    def bounds_ms(self) -> tuple[float, float]:
        """5 % and 95 % of the expectation."""
        factor = math.exp(BOUND * self.spread)
        return self.predicted_ms / factor, self.predicted_ms * factor


@dataclass(frozen=True, slots=True)
class Reasons:
    """For all devices; what they share is computed once."""

    greedy: dict[str, Option]
    average_ms: float
    accuracy: float
    feasible: bool
    price_ms: float | None
    """See `tercet.rl.goal_price`."""
    options: dict[str, tuple[Expectation, ...]]
