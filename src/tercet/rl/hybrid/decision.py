"""From parameters to an assignment: predict every entry of the cost table, then solve."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tercet.rl.assignment_solver import solve
from tercet.rl.availability import without_unavailable
from tercet.rl.experience import State
from tercet.rl.feature_layout import Layout, layout_of
from tercet.rl.features import FeatureEncoder, Profile, Rows
from tercet.rl.goal import Goal, required_accuracy
from tercet.rl.network import Parameters, align, hidden_width, log_response, members
from tercet.rl.options import Option
from tercet.rl.platform import Assignment, Platform, decode

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Decision:
    """An assignment and its basis."""

    assignment: dict[str, Option]
    predicted_ms: dict[str, float]
    """Expected response time of each device under this assignment."""
    average_ms: float
    accuracy: float
    """Average accuracy of the assignment, percent."""
    feasible: bool
    """False: the goal is out of reach, and this is the most accurate assignment."""
    gap: float
    """Optimality gap of the solver on the predicted table."""
    head: int | None
    """The head that decided (exploration), or None: the mean of all (greedy)."""
    devices: tuple[str, ...]
    table: Floats
    """Predicted milliseconds [n, O, n]: device, option, load of its node (index = load - 1)."""
    spread: Floats
    """Standard deviation between heads of log milliseconds, same shape: the uncertainty."""


def decide(
    parameters: Parameters,
    platform: Platform,
    state: State,
    goal: Goal,
    head: int | None = None,
    rng: np.random.Generator | None = None,
    profile: Profile | None = None,
    unavailable: Collection[str] = (),
    quarantined: Collection[str] = (),
) -> Decision:
    """Choose one option per active device; nodes that are `unavailable` only if nothing else is.

    `head` None is greedy; otherwise a Thompson sample of that head (modulo M), for which `rng`
    draws columns without labels. The times of `quarantined` devices are not sampled, for nothing is
    learned of them now. Deterministic given its arguments and the state of `rng`.
    """
    devices = tuple(d for d in platform.devices if d in state.active)
    table, spread = tables(parameters, platform, state, devices, head, rng, profile, quarantined)
    table = without_unavailable(platform, devices, table, unavailable)
    required = required_accuracy(goal, (platform.accuracy[o.variant] for o in platform.options))
    home = [platform.edges.index(e) for d, e in zip(platform.devices, platform.home, strict=True)
            if d in state.active]  # fmt: skip
    tiers = [o.tier for o in platform.options]
    solution = solve(table, platform.option_accuracy, required, tiers, home)
    assignment = decode(platform, devices, solution.choice)
    predicted = read(platform, devices, assignment, table)
    return Decision(
        assignment=assignment,
        predicted_ms=predicted,
        average_ms=solution.cost,
        accuracy=solution.accuracy,
        feasible=solution.feasible,
        gap=solution.gap,
        head=head,
        devices=devices,
        table=table,
        spread=spread,
    )


def tables(
    parameters: Parameters,
    platform: Platform,
    state: State,
    devices: tuple[str, ...],
    head: int | None,
    rng: np.random.Generator | None,
    profile: Profile | None = None,
    quarantined: Collection[str] = (),
) -> tuple[Floats, Floats]:
    """Predicted milliseconds and spread of log milliseconds, [n, O, n] both."""
    layout = layout_of(platform, hidden_width(parameters))
    where, rows = grid(layout, state, devices, profile)
    mean, drawn = align(parameters, layout, rng)
    noise = parameters["noise"].astype(np.float64)
    samples = log_response(parameters, layout, rows, drawn)
    if head is None:
        level = log_response(parameters, layout, rows, mean).mean(axis=0)
        variance = float((noise**2).mean())
    else:
        level = samples[head % members(parameters)]
        quiet = np.array([d in quarantined for d in devices], dtype=bool)[where[0]]
        if quiet.any():
            level = level.copy()
            level[quiet] = log_response(parameters, layout, rows[quiet], mean).mean(axis=0)
        variance = float(noise[head % members(parameters)] ** 2)
    shape = (len(devices), len(platform.options), len(devices))
    table, spread = np.zeros(shape), np.zeros(shape)
    # The mean of a log-normal is above its median by half the variance.
    table[where] = np.exp(level + 0.5 * min(variance, 1.0))
    spread[where] = samples.std(axis=0)
    return _fill(platform, table), _fill(platform, spread)


def grid(
    layout: Layout, state: State, devices: tuple[str, ...], profile: Profile | None
) -> tuple[tuple[Integers, Integers, Integers], Rows]:
    """Rows for every entry that matters: local options once, shared ones for each load."""
    platform, n = layout.platform, len(devices)
    shared = np.array([o.tier != "L" for o in platform.options])
    matters = np.broadcast_to(shared[None, :, None], (n, len(shared), n)).copy()
    matters[:, :, :1] = True
    device, option, load = np.nonzero(matters)
    index = np.array([platform.devices.index(d) for d in devices], dtype=np.int64)
    encoder = FeatureEncoder.of(layout, state, profile)
    return (device, option, load), encoder.rows(
        index[device], option, (load + 1).astype(np.float64)
    )


def _fill(platform: Platform, table: Floats) -> Floats:
    """Repeat the single entry of local options over all loads."""
    local = np.array([o.tier == "L" for o in platform.options])
    table[:, local, :] = table[:, local, :1]
    return table


def read(
    platform: Platform, devices: tuple[str, ...], assignment: Assignment, table: Floats
) -> dict[str, float]:
    """Look up each device's entry under the loads that `assignment` brings about."""
    nodes = [platform.node(d, assignment[d]) for d in devices]
    return {
        d: float(table[i, platform.index[assignment[d]], nodes.count(nodes[i]) - 1])
        for i, d in enumerate(devices)
    }
