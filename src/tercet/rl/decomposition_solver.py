"""The solver beyond enumeration: prices for accuracy and for load, repair, local search, a gap.

With several edges there are too many load vectors to list. Given a price λ for accuracy and a
number c of devices in the cloud, the edges are independent of each other: each edge
tries every load of its own and keeps the best, which is a sort. Subgradient ascent over λ, and over
a price of the cloud at which exactly c devices choose it, gives a lower bound. The minimisers of
the steps are repaired to meet the goal and improved by single changes and exchanges.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tercet.rl.assignment_problem import LOCAL, UNIT, Problem
from tercet.rl.lagrangian_bounds import start

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

PASS_STEPS = (15, 60)
"""Subgradient steps over the two prices, for every load of the cloud at once, in two passes."""

MAX_REPAIRED = 16
"""Answers repaired to meet the goal: the cheapest, with a rough price on what they miss."""

MAX_IMPROVED = 3
"""Of all answers met, so many of the cheapest are improved by local search."""


def search(problem: Problem) -> tuple[Integers, float]:
    """Return a good feasible assignment [n] and a lower bound of the optimal total cost."""
    best, bound = improve(problem, start(problem)), -np.inf
    cost = problem.total_cost(best)
    for steps in PASS_STEPS:  # steps are as long as the incumbent is bad: a good one first
        found, answers = _ascend(problem, cost, steps)
        bound = max(bound, found)
        best, cost = _improve_candidates(problem, answers, best, cost)
        if cost - bound <= 1e-9 * abs(cost):
            break
    return best, min(bound, cost)


def _improve_candidates(
    problem: Problem, answers: Integers, best: Integers, cost: float
) -> tuple[Integers, float]:
    """Repair all answers, improve the cheapest, and keep the best of all."""
    missing = np.maximum(0, problem.required_units - problem.units[answers].sum(axis=1)) / UNIT
    rate = float(problem.costs[:, :, 0].std() / max(problem.accuracy.std(), 1e-9))
    near = np.argsort(problem.total_costs(answers) + rate * missing, kind="stable")[:MAX_REPAIRED]
    repaired = np.unique(np.stack([repair(problem, answers[k]) for k in near]), axis=0)
    order = np.argsort(problem.total_costs(repaired), kind="stable")
    for choice in repaired[order[:MAX_IMPROVED]]:
        improved = improve(problem, choice)
        total = problem.total_cost(improved)
        if total < cost:
            best, cost = improved, total
    return best, cost


def _ascend(problem: Problem, target: float, steps: int) -> tuple[float, Integers]:
    """Bound the optimum over all loads of the cloud; also every distinct answer on the way."""
    clouds = np.arange(int(problem.reach[-1]) + 1)
    spread = max(float(problem.accuracy.std()), 1e-9)
    price, cloud_price = np.zeros(len(clouds)), np.zeros(len(clouds))
    top, answers = np.full(len(clouds), -np.inf), []
    for index in range(steps):
        value, answer = _relaxed(problem, clouds, price / spread, cloud_price)
        top = np.maximum(top, value)
        answers.append(answer)
        short = (problem.n * problem.required - problem.accuracy[answer].sum(axis=1)) / spread
        crowd = problem.loads_of(answer)[:, -1] - clouds
        length = np.maximum(short**2 + crowd**2, 1e-12)
        step = (1.0 - index / (2 * steps)) * np.maximum(target - value, 0.0) / length
        price = np.maximum(0.0, price + step * short)
        cloud_price = cloud_price + step * crowd
    return float(top.min()), np.unique(np.concatenate(answers), axis=0)


def _relaxed(
    problem: Problem, clouds: Integers, price: Floats, cloud_price: Floats
) -> tuple[Floats, Integers]:
    """Solve the relaxed problem for each load of the cloud: its value [C] and answers [C, n]."""
    worth = price[:, None, None] * problem.accuracy
    load = np.maximum(clouds, 1) - 1
    cloud_cost = problem.costs[:, :, load].transpose(2, 0, 1)  # [C, n, O]
    in_cloud = problem.node == problem.nodes - 1
    barred = in_cloud[None] & (clouds[:, None, None] == 0)
    alone = np.where(
        in_cloud[None], cloud_cost + cloud_price[:, None, None], problem.costs[None, :, :, 0]
    )
    alone = np.where((in_cloud | (problem.node == LOCAL))[None] & ~barred, alone - worth, np.inf)
    answer = alone.argmin(axis=2)
    least = np.take_along_axis(alone, answer[..., None], axis=2)[..., 0]  # [C, n]
    value = least.sum(axis=1) + price * problem.required * problem.n - cloud_price * clouds
    for edge in range(problem.nodes - 1):
        here = np.flatnonzero((problem.node == edge).any(axis=1))
        gain, taken, option = _edge(problem, edge, here, worth, least)
        value = value + gain
        answer[:, here] = np.where(taken, option, answer[:, here])
    return value, answer


def _edge(
    problem: Problem, edge: int, here: Integers, worth: Floats, least: Floats
) -> tuple[Floats, NDArray[np.bool_], Integers]:
    """Best load of one edge on its own: gain [C] <= 0, who goes there [C, h], their option."""
    cases, most = len(worth), len(here)
    if not most:
        none = np.zeros((cases, 0), dtype=np.int64)
        return np.zeros(cases), none.astype(bool), none
    on_edge = (problem.node[here] == edge)[None]
    gain, taken = np.zeros(cases), np.zeros((cases, most), dtype=bool)
    option = np.zeros((cases, most), dtype=np.int64)
    for load in range(1, most + 1):
        cost = np.where(on_edge, problem.costs[here, :, load - 1][None] - worth, np.inf)
        chosen = cost.argmin(axis=2)
        change = np.take_along_axis(cost, chosen[..., None], axis=2)[..., 0] - least[:, here]
        order = np.argsort(change, axis=1)[:, :load]
        total = np.take_along_axis(change, order, axis=1).sum(axis=1)
        better = total < gain
        member = np.zeros((cases, most), dtype=bool)
        np.put_along_axis(member, order, True, axis=1)
        gain = np.where(better, total, gain)
        taken = np.where(better[:, None], member, taken)
        option = np.where(better[:, None], chosen, option)
    return gain, taken, option


def repair(problem: Problem, choice: Integers) -> Integers:
    """Raise accuracy, cheapest first, until the goal is met; always possible by `start`."""
    choice = choice.copy()
    while (missing := problem.required_units - int(problem.units[choice].sum())) > 0:
        moves, gained = _moves(problem, choice)
        useful = gained > 0
        moves, gained = moves[useful], gained[useful]
        rise = problem.total_costs(moves) - problem.total_cost(choice)
        rate = np.where(rise > 0, rise / np.minimum(gained, missing), rise)
        choice = moves[int(rate.argmin())]
    return choice


def _moves(problem: Problem, choice: Integers) -> tuple[Integers, Integers]:
    """Every change of one device, [n * O, n], and the accuracy units each gains."""
    options = len(problem.accuracy)
    moves = np.repeat(choice[None], problem.n * options, axis=0)
    device = np.repeat(np.arange(problem.n), options)
    moves[np.arange(len(moves)), device] = np.tile(np.arange(options), problem.n)
    return moves, problem.units[moves].sum(axis=1) - int(problem.units[choice].sum())


def improve(problem: Problem, choice: Integers) -> Integers:
    """Change one device, or let two exchange roles, while that helps and the goal stays met."""
    cost = problem.total_cost(choice)
    first, second = np.triu_indices(problem.n, 1)
    while True:
        moves, _ = _moves(problem, choice)
        swaps = np.repeat(choice[None], len(first), axis=0)
        row = np.arange(len(first))
        swaps[row, first], swaps[row, second] = choice[second], choice[first]
        tried = np.concatenate([moves, swaps])
        totals = problem.total_costs(tried)
        totals[problem.units[tried].sum(axis=1) < problem.required_units] = np.inf
        if totals.min() >= cost - 1e-9 * abs(cost):
            return choice
        choice, cost = tried[totals.argmin()], float(totals.min())
