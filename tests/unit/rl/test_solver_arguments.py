"""What the solver refuses, naming the argument, and what its defaults mean."""

from __future__ import annotations

import numpy as np
import pytest

from tercet.rl.assignment_problem import Problem
from tercet.rl.assignment_solver import ranked, solve, solved
from tercet.rl.goal_price import price_of
from tests.unit.rl.general_instances import general_instance, optimum
from tests.unit.rl.instances import TIERS, instance


def valid() -> dict:
    return general_instance(4, 3, groups=2)


def wrong(name: str, value: object) -> dict:
    return {**valid(), name: value}


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (wrong("costs", np.zeros((3, 4))), "costs"),
        (wrong("costs", np.full((3, 4, 5), np.inf)), "costs"),
        (wrong("accuracy", [90.0]), "accuracy"),
        (wrong("accuracy", [90.0, np.nan, 80.0, 70.0]), "accuracy"),
        (wrong("required", [80.0, np.nan]), "required"),
        (wrong("demand", [1.0, -1.0, 1.0]), "demand"),
        (wrong("demand", [1.0, 1.0]), "demand"),
        (wrong("amount", np.full((3, 4), -0.1)), "amount"),
        (wrong("levels", [0.0, 1.0, 1.0, 2.0, 3.0]), "levels"),
        (wrong("levels", [0.0, 1.0]), "costs"),
        (wrong("offset", [0.0]), "offset"),
        (wrong("node", np.full((3, 4), 0.5)), "node"),
        (wrong("node", np.full((3, 4), -2)), "node"),
        (wrong("extra", [(np.full((3, 4), 9), np.ones((3, 4)))]), "offset"),
        (wrong("extra", [(valid()["node"], np.ones((3, 4)))]), "extra"),
        (wrong("groups", [0, 1, 2]), "groups"),
        (wrong("node_cost", np.zeros((2, 2))), "node_cost"),
        (wrong("node_levels", [0.0, 2.0, 1.0]), "node_levels"),
    ],
)
def test_what_does_not_fit_is_named(arguments: dict, named: str) -> None:
    with pytest.raises(ValueError, match=f"^{named}:"):
        solve(**arguments)


def test_a_row_without_options_is_named() -> None:
    allowed = np.ones((3, 4), dtype=bool)
    allowed[1] = False
    with pytest.raises(ValueError, match="allowed: row 1 has no option"):
        solve(**wrong("allowed", allowed))


def test_the_start_must_fit() -> None:
    with pytest.raises(ValueError, match=r"^start:"):
        solve(**valid(), start=[0, 1])
    with pytest.raises(ValueError, match=r"^start:"):
        solve(**valid(), start=[0, 1, 7])


def test_no_row_is_an_empty_solution_with_the_loads_of_others() -> None:
    found = solve(np.zeros((0, 5, 3)), np.ones(5), 0.0, TIERS, levels=[0, 1, 2], offset=[0.3, 0.5])
    assert found.exact and len(found.choice) == 0
    assert found.loads.tolist() == [0.3, 0.5]


def test_costs_of_options_that_are_not_allowed_are_not_read() -> None:
    arguments = valid()
    arguments["costs"][~arguments["allowed"]] = np.nan
    found = solve(**arguments)
    assert arguments["allowed"][np.arange(3), found.choice].all()


def test_without_any_demand_all_rows_count_the_same() -> None:
    one, none = wrong("demand", np.ones(3)), wrong("demand", np.zeros(3))
    assert solve(**one).choice.tolist() == solve(**none).choice.tolist()


def test_counted_loads_are_the_special_case_of_general_ones() -> None:
    costs, accuracy, home = instance(5, 4, 2)
    node = np.full((4, 5), -1)
    node[:, 3], node[:, 4] = home, 2
    plain = solve(costs, accuracy, 75.0, TIERS, home)
    general = solve(
        costs, accuracy, [75.0], levels=np.arange(1, 5) * 0.5, demand=np.full(4, 3.0),
        amount=np.full((4, 5), 0.5), node=node, groups=np.zeros(4),
    )  # fmt: skip
    assert general.exact
    assert general.cost == pytest.approx(plain.cost)


@pytest.mark.parametrize("seed", range(10))
def test_ranked_costs_are_those_of_a_single_change(seed: int) -> None:
    problem = Problem.of(**general_instance(seed, 4))
    found = solved(problem)
    order, costs = ranked(problem, found.choice)
    assert (np.sort(order, axis=1) == np.arange(4)).all()
    for row in range(4):
        for option, cost in zip(order[row], costs[row], strict=True):
            if not problem.allowed[row, option]:
                assert cost == np.inf
                continue
            other = found.choice.copy()
            other[row] = option
            at = problem.costs_at(problem.loads_of(other[None]))[0, row, option]
            assert cost * problem.demand[row] == pytest.approx(at)
    assert (np.diff(np.where(np.isfinite(costs), costs, 1e12), axis=1) >= 0).all()


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("group", [0, 1])
def test_each_group_has_a_price_of_its_own(seed: int, group: int) -> None:
    arguments = general_instance(seed, 4, groups=2)
    best = solve(**arguments)
    found = price_of(best, Problem.of(**arguments), group)
    if not best.feasible:
        assert found is None
        return
    looser = arguments["required"].copy()
    looser[group] -= 1.0
    problem = Problem.of(**{**arguments, "required": looser})
    saved = best.cost - optimum(problem)[0] / problem.demand.sum()
    assert found == pytest.approx(max(0.0, saved), abs=1e-6)
