"""The solver beyond enumeration, and both against an independent solver (HiGHS)."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse
from scipy.optimize import Bounds, LinearConstraint, milp

from benchmarks.solver_scale import fleet
from tercet.rl import decomposition_solver
from tercet.rl.assignment_problem import Problem
from tercet.rl.assignment_solver import solve, solved
from tests.unit.rl.instances import TIERS, instance


def highs(problem: Problem) -> float:
    """Total cost of the optimum: one binary per (device, option, load) and per (node, load)."""
    n, options = problem.costs.shape[:2]
    entries = [
        (i, o, load, int(problem.node[i, o, 0]))
        for i in range(n)
        for o in range(options)
        for load in range(1, (n if problem.node[i, o, 0] >= 0 else 1) + 1)
    ]
    pairs = [(k, load) for k in range(problem.nodes) for load in range(n + 1)]
    width = len(entries) + len(pairs)
    where = {pair: len(entries) + j for j, pair in enumerate(pairs)}
    cost = np.zeros(width)
    rows: list[tuple[dict[int, float], float, float]] = []
    one: list[dict[int, float]] = [{} for _ in range(n)]
    used: dict[tuple[int, int], dict[int, float]] = {
        pair: {where[pair]: -float(pair[1])} for pair in pairs
    }
    accuracy: dict[int, float] = {}
    for j, (i, o, load, node) in enumerate(entries):
        cost[j] = problem.costs[i, o, load - 1]
        one[i][j] = 1.0
        accuracy[j] = float(problem.accuracy[i, o])
        if node >= 0:
            used[(node, load)][j] = 1.0
    rows += [(row, 1.0, 1.0) for row in one]
    rows += [(row, 0.0, 0.0) for row in used.values()]
    rows += [
        ({where[(k, load)]: 1.0 for load in range(n + 1)}, 1.0, 1.0) for k in range(problem.nodes)
    ]
    rows.append((accuracy, problem.required[0] * n - 1e-9, np.inf))
    matrix = sparse.lil_matrix((len(rows), width))
    for r, (row, _, _) in enumerate(rows):
        for j, value in row.items():
            matrix[r, j] = value
    limits = LinearConstraint(
        matrix.tocsr(), [low for _, low, _ in rows], [up for _, _, up in rows]
    )
    found = milp(cost, constraints=limits, integrality=np.ones(width), bounds=Bounds(0, 1))
    assert found.success
    return float(found.fun)


@pytest.mark.parametrize("seed", range(4))
def test_twenty_devices_agree_with_an_independent_solver(seed: int) -> None:
    costs, accuracy, home = instance(seed, 20)
    required = float(np.quantile(accuracy, 0.7))
    found = solve(costs, accuracy, required, TIERS, home)
    assert found.exact
    expected = highs(Problem.of(costs, accuracy, required, TIERS, home))
    assert found.cost * 20 == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("edges", [1, 3])
def test_decomposition_is_feasible_bounded_and_close(seed: int, edges: int) -> None:
    costs, accuracy, home = instance(seed, 8, edges)
    required = float(np.quantile(accuracy, 0.6))
    problem = Problem.of(costs, accuracy, required, TIERS, home)
    found = decomposition_solver.search(problem)
    choice, bound = found.choice, found.bound
    exact = solve(costs, accuracy, required, TIERS, home)
    assert problem.meets(choice[None])[0]
    assert bound <= exact.cost * 8 * (1 + 1e-9) <= problem.total_cost(choice) * (1 + 2e-9)
    assert problem.total_cost(choice) <= 1.05 * exact.cost * 8


@pytest.mark.parametrize("seed", range(12))
def test_searched_branches_and_hub_bound_the_optimum_from_below(seed: int) -> None:
    problem = Problem.of(**fleet(seed, 8, 1 + seed % 3, tightness=0.4 + 0.1 * (seed % 5)))
    exact = solved(problem)
    assert exact.exact
    found = decomposition_solver.search(problem, tolerance=0.0)
    assert found.bound <= exact.cost * problem.demand.sum() * (1 + 1e-9)
    assert problem.total_cost(found.choice) <= exact.cost * problem.demand.sum() * 1.02


def test_fifty_devices_on_five_edges_report_their_gap() -> None:
    costs, accuracy, home = instance(1, 50, 5)
    found = solve(costs, accuracy, float(np.quantile(accuracy, 0.6)), TIERS, home)
    assert found.feasible and 0 <= found.gap < 0.05


@pytest.mark.parametrize("tightness", [0.0, 0.7])
def test_two_hundred_rows_of_unequal_demand_are_close_to_the_optimum(tightness: float) -> None:
    problem = Problem.of(**fleet(1, 200, 4, tightness))
    found = solved(problem)
    assert problem.meets(found.choice[None])[0]
    assert 0 <= found.gap <= 0.005
    again = solved(problem, found.choice, found.prices)
    assert again.cost <= found.cost * (1 + 1e-9) and again.gap <= 0.005
