"""Why an assignment: what the heads expect of every option, with all others where they are."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rl.assign import Solution, solve
from rl.constraint import price
from rl.experience import State
from rl.features import Profile
from rl.goal import Goal, required_accuracy
from rl.hybrid.deciding import avoiding, tables
from rl.network import Parameters
from rl.platform import Assignment, Option, Platform, decode

Floats = NDArray[np.float64]

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
    """Standard deviation between the heads of log milliseconds."""
    sampled_ms: float | None
    """What the exploring head believes; None when none does."""

    @property
    def bounds_ms(self) -> tuple[float, float]:
        """5 % and 95 % of the expectation."""
        factor = float(np.exp(BOUND * self.spread))
        return self.predicted_ms / factor, self.predicted_ms * factor


@dataclass(frozen=True, slots=True)
class Reasons:
    """For all devices at once; what they share is computed once."""

    greedy: dict[str, Option]
    average_ms: float
    accuracy: float
    feasible: bool
    price_ms: float | None
    """See `rl.constraint`."""
    options: dict[str, tuple[Expectation, ...]]


def reasons(
    parameters: Parameters,
    platform: Platform,
    state: State,
    goal: Goal,
    in_force: Assignment,
    head: int | None = None,
    profile: Profile | None = None,
    unavailable: Collection[str] = (),
) -> Reasons:
    """Look at the parameters as `decide` does, draw nothing. Raises ValueError if they do not fit.

    `in_force` gives the loads; a device without one counts nowhere.
    """
    devices = tuple(d for d in platform.devices if d in state.active)
    table, spread = tables(parameters, platform, state, devices, None, None, profile)
    sampled = None
    if head is not None:
        sampled, _ = tables(parameters, platform, state, devices, head, None, profile)
    costs = avoiding(platform, devices, table, unavailable)
    required = required_accuracy(goal, (platform.accuracy[o.variant] for o in platform.options))
    home = [platform.edges.index(platform.home[platform.devices.index(d)]) for d in devices]
    problem = (costs, platform.option_accuracy, required, [o.tier for o in platform.options], home)
    best: Solution = solve(*problem)
    return Reasons(
        greedy=decode(platform, devices, best.choice),
        average_ms=best.cost,
        accuracy=best.accuracy,
        feasible=best.feasible,
        price_ms=price(best, *problem),
        options=_expectations(platform, devices, in_force, table, spread, sampled),
    )


def _expectations(
    platform: Platform,
    devices: tuple[str, ...],
    in_force: Assignment,
    table: Floats,
    spread: Floats,
    sampled: Floats | None,
) -> dict[str, tuple[Expectation, ...]]:
    """Read each device's entries at the loads that the others bring about."""
    where = {d: platform.node(d, in_force[d]) for d in devices if d in in_force}
    found = {}
    for i, device in enumerate(devices):
        listed = []
        for k, option in enumerate(platform.options):
            node = platform.node(device, option)
            load = 1 + sum(n == node for other, n in where.items() if other != device)
            entry = (i, k, load - 1)
            drawn = None if sampled is None else float(sampled[entry])
            listed.append(
                Expectation(option, node, load, float(table[entry]), float(spread[entry]), drawn)
            )
        found[device] = tuple(listed)
    return found
