"""Whether new parameters may decide: they must be no worse on the latest measurements.

Two comparisons, each with a stated margin: their prediction error on the latest windows, and the
cost of their greedy assignment. Costs are estimated off policy: a measured cell has its measured
cost, any other what the more certain of both predicts, within what the other deems possible. So a
discovery is accepted where the present parameters only assume the opposite.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from tercet.rl.costs.cost_table import CostTable
from tercet.rl.costs.encoding import Profile
from tercet.rl.costs.prediction import Knowledge
from tercet.rl.costs.reading import Reading
from tercet.rl.experience import Experience
from tercet.rl.hybrid.decision import Decision, decide
from tercet.rl.hybrid.prediction_error import log_errors
from tercet.rl.platform import Platform, loads

MIN_ROUNDS = 8
"""Windows that are compared; with fewer, new parameters are accepted."""
COST_MARGIN = 0.25
"""Share by which a new greedy assignment may cost more than the present one's."""
DOUBT = 3.0
"""Standard errors of a logarithm within which a cost is deemed possible."""
ERROR_FACTOR, ERROR_MARGIN = 2.0, 0.3
"""A new error may be so many times the present one, plus so much, in log milliseconds."""


def rejection_reason(
    new: Knowledge,
    present: Knowledge | None,
    platform: Platform,
    seen: Sequence[Experience],
    profile: Profile | None = None,
) -> str:
    """Why `new` must not replace `present`; empty when it may. `seen`: oldest first."""
    if present is None or len(seen) < MIN_ROUNDS:
        return ""
    recent = list(seen[-MIN_ROUNDS:])
    before, after = (_error(known, platform, recent, profile) for known in (present, new))
    if not after <= ERROR_FACTOR * before + ERROR_MARGIN:
        return f"predicts the latest rounds worse: error {after:.2f}, the present one {before:.2f}"
    cost, best = greedy_costs((present, new), platform, recent, profile)
    if not best <= cost * (1 + COST_MARGIN):
        return f"its best costs {best:.1f} ms, the present one's {cost:.1f} ms"
    return ""


def greedy_costs(
    candidates: Sequence[Knowledge],
    platform: Platform,
    seen: Sequence[Experience],
    profile: Profile | None = None,
) -> list[float]:
    """Cost of each one's greedy assignment now, average milliseconds, by the latest windows."""
    recent, now = list(seen[-MIN_ROUNDS:]), seen[-1]
    decisions = [
        decide(known, platform, now.state, now.goal_of_each, profile) for known in candidates
    ]
    table = decisions[-1].table
    report = dict(zip(table.devices, table.report.tolist(), strict=True))
    measured = _measured(platform, recent, report)
    return [_cost(platform, decision, measured, decisions) for decision in decisions]


def _error(
    knowledge: Knowledge, platform: Platform, seen: list[Experience], profile: Profile | None
) -> float:
    """Root mean square error in log milliseconds."""
    errors = np.concatenate([log_errors(knowledge, platform, e, profile) for e in seen])
    return float(np.sqrt((errors**2).mean())) if len(errors) else 0.0


Cells = dict[tuple[str, str, int], float]


def _measured(platform: Platform, seen: list[Experience], report: Mapping[str, float]) -> Cells:
    """(row, option, rows on its node) to mean milliseconds; `report` as `CostTable.report`."""
    found: dict[tuple[str, str, int], list[float]] = defaultdict(list)
    for experience in seen:
        load = loads(platform, experience.assignment)
        for device, ms in experience.response_ms.items():
            option = experience.assignment[device]
            found[device, str(option), round(load[platform.node(device, option)])].append(
                ms / report.get(device, 1.0)
            )
    return {cell: float(np.mean(ms)) for cell, ms in found.items()}


def _predicted(tables: Sequence[CostTable], choice: NDArray[np.int64]) -> NDArray[np.float64]:
    """Milliseconds of each row: by the table that is most certain, if no other rules it out."""
    rows = np.arange(len(choice))
    found = [Reading.of(table, choice) for table in tables]
    costs = np.array([r.costs[rows, choice] for r in found])
    spread = np.sqrt(np.maximum([r.variance[rows, choice] for r in found], 0.0))
    least = (costs * np.exp(-DOUBT * spread)).max(axis=0)
    most = (costs * np.exp(DOUBT * spread)).min(axis=0)
    certain = costs[spread.argmin(axis=0), rows]
    return np.asarray(np.maximum(np.minimum(certain, most), least))


def _cost(
    platform: Platform, decision: Decision, measured: Cells, decisions: Sequence[Decision]
) -> float:
    """Average milliseconds of a decision: as measured, else as predicted."""
    assignment = decision.assignment
    load = loads(platform, assignment)
    predicted = _predicted([d.table for d in decisions], decision.solution.choice)
    costs = [
        measured.get((device, str(option), round(load[platform.node(device, option)])), ms)
        for (device, option), ms in zip(assignment.items(), predicted.tolist(), strict=True)
    ]
    return float(np.average(costs, weights=decision.table.demand)) if costs else 0.0
