"""The protocol of a world on which every agent and every benchmark runs."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tercet.rl.experience import Outcome, State
from tercet.rl.platform import Assignment, Platform


class Environment(Protocol):
    """One platform. A `step` is one real step; `expected_ms` is for the oracle alone.

    On the bus a world may also have `profile_ms` (`tercet.rl.costs.encoding.Profile`): the compute
    times that each node would measure at its start, without load.
    """

    @property
    def platform(self) -> Platform:
        """Devices and their home edges, options, accuracies; no timings."""
        ...

    def reset(self, seed: int) -> State:
        """Start again; the same seed gives the same noise and the same changes."""
        ...

    def step(self, assignment: Assignment) -> Outcome:
        """Execute one option per active device; raises KeyError when one has none."""
        ...

    def expected_ms(self, state: State, assignments: NDArray[np.int64]) -> NDArray[np.float64]:
        """Expected response times [N, n] of the state's n active devices.

        `assignments` [N, n] holds option indexes in the order of `active(platform, state)`.
        Never shown to an agent.
        """
        ...


def missing_members(made: object) -> str:
    """The members of an environment that an object lacks, separated by commas; empty: none."""
    wanted = ("platform", "reset", "step", "expected_ms")
    return ", ".join(name for name in wanted if not hasattr(made, name))


def active(platform: Platform, state: State) -> tuple[str, ...]:
    """The active devices in the platform's order, which is the order of all arrays."""
    present = set(state.active)
    return tuple(d for d in platform.devices if d in present)
