"""A world in which one device of five reports false response times.

The devices differ, so the optimal assignment is unique. `tercet up --world
benchmarks.lying_world:lying_world` runs this world on the bus; TERCET_LIE selects the kind of false
report and TERCET_LIAR the device. Only what that device reports is false.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from tercet.rl.costs.encoding import Profile
from tercet.rl.experience import Outcome, State
from tercet.rl.options import Option
from tercet.rl.platform import Assignment, encode
from tercet.sim.scenarios import paper
from tercet.sim.world import World

SPEED = np.array([0.6, 0.85, 1.2, 1.7, 2.4])
"""Factor on the compute time of each device's processor."""
PROFILE_NOISE = 0.05
"""Relative noise of a profiled time."""

Report = Callable[[Option, float, np.random.Generator], float | None]
"""From the executed option, the true time in ms and a random generator to the reported time.

None: nothing is reported.
"""

HONEST = "honest"
SILENT = "silent"
"""The device reports nothing."""

LIES: dict[str, Report] = {
    "ten times slower": lambda _, ms, rng: 10 * ms,
    "ten times faster": lambda _, ms, rng: ms / 10,
    "random": lambda _, ms, rng: float(np.exp(rng.uniform(0.0, math.log(10_000)))),
    "the cloud is instantaneous": lambda option, ms, rng: 1.0 if option.tier == "C" else ms,
    "constant": lambda _, ms, rng: 100.0,
}
REPORTS: dict[str, Report] = {
    HONEST: lambda _, ms, rng: ms,
    SILENT: lambda _, ms, rng: None,
    **LIES,
}


class LyingWorld(World):
    """Scenario A with unequal devices; `step` returns the reports, everything else is true."""

    def __init__(self, lie: str = HONEST, lying_device: int = 0) -> None:
        """`lie` is a name in REPORTS (else ValueError), `lying_device` the index of the device."""
        if lie not in REPORTS:
            raise ValueError(f"lie must be one of {', '.join(REPORTS)}, not {lie!r}")
        plain = paper("A")
        physics = replace(plain.physics, speed=SPEED)
        super().__init__(plain.platform, physics, plain.initial)
        self.lying_device, self._report = plain.platform.devices[lying_device], REPORTS[lie]
        self._report_rng = np.random.default_rng(0)
        self.profile_ms = self._profiled()

    def reset(self, seed: int) -> State:
        """Start again; false reports have a random stream of their own."""
        self._report_rng = np.random.default_rng(seed)
        return super().reset(seed)

    def step(self, assignment: Assignment) -> Outcome:
        """One real step; the time of the lying device is replaced by its report."""
        outcome = super().step(assignment)
        reported = dict(outcome.response_ms)
        true_ms = reported.pop(self.lying_device)
        false_ms = self._report(assignment[self.lying_device], true_ms, self._report_rng)
        if false_ms is not None:
            reported[self.lying_device] = false_ms
        return replace(outcome, response_ms=reported)

    def others_ms(self, state: State, assignment: Assignment) -> float:
        """Expected mean response time of the honest devices, milliseconds."""
        devices = self.platform.devices
        choice = encode(self.platform, devices, assignment)
        expected = self.expected_ms(state, choice[None])[0]
        return float(np.delete(expected, devices.index(self.lying_device)).mean())

    def _profiled(self) -> Profile:
        """Compute times that each node would measure at start-up, without load."""
        data, rng = self.physics.calibration, np.random.default_rng(3)

        def measured(ms: float) -> float:
            return float(ms * np.exp(PROFILE_NOISE * rng.standard_normal()))

        profiles = {
            device: {f"d{k}": measured(speed * ms) for k, ms in enumerate(data.local)}
            for device, speed in zip(self.platform.devices, SPEED, strict=True)
        }
        edge, cloud = {"d0": measured(sum(data.edge))}, {"d0": measured(sum(data.cloud))}
        return {**profiles, "edge": edge, "cloud": cloud}


def lying_world() -> LyingWorld:
    """The factory for `--world`; reads TERCET_LIE and TERCET_LIAR."""
    lying_device = int(os.environ.get("TERCET_LIAR", "0"))
    return LyingWorld(os.environ.get("TERCET_LIE", HONEST), lying_device)
