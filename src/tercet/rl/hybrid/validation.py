"""Whether new parameters may decide: finite, and no worse on the latest measurements.

Two comparisons, each with a stated margin: their prediction error on the latest rounds, and the
cost of their greedy assignment. Costs are estimated off policy: a measured cell has its measured
cost, any other the mean of both predictions.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from tercet.rl.experience import Experience
from tercet.rl.features import Profile
from tercet.rl.hybrid.decision import Decision, decide
from tercet.rl.hybrid.prediction_error import log_errors
from tercet.rl.network import Parameters
from tercet.rl.platform import Assignment, Platform, loads

MIN_ROUNDS = 8
"""Rounds that are compared; with fewer, new parameters are accepted."""
COST_MARGIN = 0.25
"""Share by which a new greedy assignment may cost more than the present one's."""
ERROR_FACTOR, ERROR_MARGIN = 2.0, 0.3
"""A new error may be so many times the present one, plus so much, in log milliseconds."""


def rejection_reason(
    new: Parameters,
    present: Parameters | None,
    platform: Platform,
    seen: Sequence[Experience],
    profile: Profile | None = None,
) -> str:
    """Why `new` must not replace `present`; empty when it may. `seen`: oldest first."""
    if not all(bool(np.isfinite(t).all()) for t in new.values()):
        return "not finite"
    if present is None or len(seen) < MIN_ROUNDS:
        return ""
    recent = list(seen[-MIN_ROUNDS:])
    before, after = (_error(p, platform, recent, profile) for p in (present, new))
    if after > ERROR_FACTOR * before + ERROR_MARGIN:
        return f"predicts the latest rounds worse: error {after:.2f}, the present one {before:.2f}"
    cost, best = greedy_costs((present, new), platform, recent, profile)
    if best > cost * (1 + COST_MARGIN):
        return f"its best costs {best:.1f} ms, the present one's {cost:.1f} ms"
    return ""


def greedy_costs(
    candidates: Sequence[Parameters],
    platform: Platform,
    seen: Sequence[Experience],
    profile: Profile | None = None,
) -> list[float]:
    """Cost of each one's greedy assignment now, average milliseconds, by the latest rounds."""
    recent, now = list(seen[-MIN_ROUNDS:]), seen[-1]
    choices = tuple(decide(p, platform, now.state, now.goal, profile=profile) for p in candidates)
    measured = _measured(platform, recent)
    return [_cost(platform, choice.assignment, measured, choices) for choice in choices]


def _error(
    parameters: Parameters, platform: Platform, seen: list[Experience], profile: Profile | None
) -> float:
    """Root mean square error in log milliseconds."""
    errors = np.concatenate([log_errors(parameters, platform, e, profile) for e in seen])
    return float(np.sqrt((errors**2).mean())) if len(errors) else 0.0


Cells = dict[tuple[str, str, int], float]


def _measured(platform: Platform, seen: list[Experience]) -> Cells:
    """(device, option, load) to mean milliseconds."""
    found: dict[tuple[str, str, int], list[float]] = defaultdict(list)
    for experience in seen:
        load = loads(platform, experience.assignment)
        for device, ms in experience.response_ms.items():
            option = experience.assignment[device]
            if device not in experience.censored:
                found[device, str(option), round(load[platform.node(device, option)])].append(ms)
    return {cell: float(np.mean(ms)) for cell, ms in found.items()}


def _cost(
    platform: Platform, assignment: Assignment, measured: Cells, decisions: tuple[Decision, ...]
) -> float:
    """Average milliseconds of an assignment: as measured, else the mean prediction."""
    load, total = loads(platform, assignment), 0.0
    for device, option in assignment.items():
        count = round(load[platform.node(device, option)])
        cell = device, platform.index[option], count - 1
        predicted = [float(j.table[j.devices.index(cell[0]), cell[1], cell[2]]) for j in decisions]
        total += measured.get((device, str(option), count), float(np.mean(predicted)))
    return total / max(len(assignment), 1)
