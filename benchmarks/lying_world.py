"""A world in which one device of five lies about its response times, and what it says.

Devices differ, so that the optimum is unique: among equal ones it is a matter of chance who gets
which place. `tercet up --world benchmarks.lying_world:town`, told by TERCET_LIE and TERCET_LIAR, is such a
world on the bus: only what the liar reports is false.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from tercet.rl.experience import Outcome, State
from tercet.rl.features import Profile
from tercet.rl.platform import Assignment, Option, encode
from tercet.sim.scenarios import paper
from tercet.sim.world import World

SPEED = np.array([0.6, 0.85, 1.2, 1.7, 2.4])
"""Slowness of each device's own processor."""
MEASURED = 0.05
"""Relative noise of a profiled time."""

Lie = Callable[[Option, float, np.random.Generator], float | None]
"""From what ran, what it took (ms) and chance to what is reported; None: nothing."""

HONEST = "honest"
SILENT = "silent"
"""No lie, but what a perfect quarantine would leave of a liar: nothing is heard of it."""

LIES: dict[str, Lie] = {
    "ten times slower": lambda _, ms, rng: 10 * ms,
    "ten times faster": lambda _, ms, rng: ms / 10,
    "random": lambda _, ms, rng: float(np.exp(rng.uniform(0.0, math.log(10_000)))),
    "the cloud is instantaneous": lambda option, ms, rng: 1.0 if option.tier == "C" else ms,
    "constant": lambda _, ms, rng: 100.0,
}
SAID: dict[str, Lie] = {
    HONEST: lambda _, ms, rng: ms,
    SILENT: lambda _, ms, rng: None,
    **LIES,
}


class Town(World):
    """Scenario A with unequal devices; `step` returns what is reported, the rest is true."""

    def __init__(self, lie: str = HONEST, liar: int = 0) -> None:
        """`lie` is a name in SAID (else ValueError), `liar` the index of the device."""
        if lie not in SAID:
            raise ValueError(f"lie must be one of {', '.join(SAID)}, not {lie!r}")
        plain = paper("A")
        physics = replace(plain.physics, speed=SPEED)
        super().__init__(plain.platform, physics, plain.initial)
        self.liar, self._lie = plain.platform.devices[liar], SAID[lie]
        self._chance = np.random.default_rng(0)
        self.profile_ms = self._profiled()

    def reset(self, seed: int) -> State:
        """Start again; what is made up has chances of its own."""
        self._chance = np.random.default_rng(seed)
        return super().reset(seed)

    def step(self, assignment: Assignment) -> Outcome:
        """One real step; the liar's time is replaced by what it says."""
        outcome = super().step(assignment)
        heard = dict(outcome.response_ms)
        said = self._lie(assignment[self.liar], heard.pop(self.liar), self._chance)
        if said is not None:
            heard[self.liar] = said
        return replace(outcome, response_ms=heard)

    def others_ms(self, state: State, assignment: Assignment) -> float:
        """What an assignment truly costs the honest, on average, milliseconds."""
        devices = self.platform.devices
        choice = encode(self.platform, devices, assignment)
        expected = self.expected_ms(state, choice[None])[0]
        return float(np.delete(expected, devices.index(self.liar)).mean())

    def _profiled(self) -> Profile:
        """What each node would measure at start-up, without load."""
        data, rng = self.physics.calibration, np.random.default_rng(3)

        def off(ms: float) -> float:
            return float(ms * np.exp(MEASURED * rng.standard_normal()))

        found = {
            device: {f"d{k}": off(speed * ms) for k, ms in enumerate(data.local)}
            for device, speed in zip(self.platform.devices, SPEED, strict=True)
        }
        edge, cloud = {"d0": off(sum(data.edge))}, {"d0": off(sum(data.cloud))}
        return {**found, "edge": edge, "cloud": cloud}


def town() -> Town:
    """As the environment variables say: for the process that is the world."""
    return Town(os.environ.get("TERCET_LIE", HONEST), int(os.environ.get("TERCET_LIAR", "0")))
