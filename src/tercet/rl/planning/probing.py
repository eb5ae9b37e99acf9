"""Finding out whether a load moves a condition: at times a shared node is left out of a window.

A greedy policy gives a node much the same load whenever its condition is the same, and then nobody
can tell what the load does. Only a node is probed whose condition costs something, and seems to
follow from its load (`relevance.py`): where the state does not depend on assignments, none is. A
few probes decide it; they are paid from the budget of exploration.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from tercet.rl.assignment_problem import Problem
from tercet.rl.assignment_solver import Solution, solved
from tercet.rl.costs.cost_table import CostTable
from tercet.rl.planning.relevance import Assessment
from tercet.rl.planning.system_model import SystemModel

MOST = 12
"""Probes of a node for one field of its condition."""

APART = 4
"""Windows from one probe to the next."""


def undecided(system: SystemModel, found: Assessment) -> list[tuple[str, int]]:
    """Names of the nodes that are to be probed, and the fields."""
    names = list(system.registry.nodes.number)
    return [(names[node], f) for node, f in found.undecided]


@dataclass
class Probing:
    """Which nodes are to be probed, and how often they were."""

    open: list[tuple[str, int]] = field(default_factory=list)
    """Nodes and fields that are undecided."""
    done: dict[tuple[str, int], int] = field(default_factory=dict)
    wait: int = 0
    """Windows until the next probe."""

    def probe(
        self, table: CostTable, problem: Problem, greedy: Solution, budget: float
    ) -> tuple[Solution, float] | None:
        """An assignment that leaves one node out, and its excess as a share; None: not now."""
        self.wait = max(0, self.wait - 1)
        if self.wait or not self.open:
            return None
        for name, f in self.open:
            if self.done.get((name, f), 0) >= MOST or name not in table.nodes:
                continue
            k = table.nodes.index(name)
            if not greedy.loads[k] > 0:
                continue
            allowed = problem.allowed & ~(problem.node == k).any(axis=2)
            if not allowed.any(axis=1).all():
                continue
            found = solved(replace(problem, allowed=allowed), greedy.choice)
            excess = found.cost / max(float(greedy.cost), 1e-9) - 1.0
            if found.feasible and excess <= budget:
                self.done[name, f] = self.done.get((name, f), 0) + 1
                self.wait = APART
                return found, max(0.0, float(np.asarray(excess)))
        return None
