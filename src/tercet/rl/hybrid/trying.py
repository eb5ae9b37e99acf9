"""What to execute: the greedy assignment, a probe of a shared node, or trials of options."""

from __future__ import annotations

import numpy as np

from tercet.rl.assignment_problem import Problem
from tercet.rl.assignment_solver import Solution
from tercet.rl.costs.cost_table import CostTable
from tercet.rl.costs.exploration import Explorer
from tercet.rl.planning.probing import Probing


def tried(
    explorer: Explorer,
    probing: Probing,
    table: CostTable,
    problem: Problem,
    greedy: Solution,
    rng: np.random.Generator,
) -> Solution:
    """The assignment to execute; both kinds of trials are paid from the explorer's budget."""
    probe = probing.probe(table, problem, greedy, explorer.saved)
    if probe is not None:
        explorer.saved -= probe[1]
        return probe[0]
    return explorer.explore(table, problem, greedy, rng)
