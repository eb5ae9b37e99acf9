"""An edge that runs several variants: d3@E is used when it is best, and the solver is exact."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from tercet.experience.fleets import fleet_of
from tercet.experience.translation import platform_of
from tercet.rl.assignment_solver import solve
from tercet.rl.options import PAPER_ACCURACY
from tercet.rl.platform import Platform
from tercet.schemas.capability import Capability

GOAL, DEVICES = 85.0, ("a", "b", "c", "d")


def platform() -> Platform:
    """Devices that run all eight, an edge that runs d0 and d3, a cloud that runs d0."""
    edge = {v: PAPER_ACCURACY[v] for v in ("d0", "d3")}
    nodes = [
        *(
            Capability(node=d, tier="device", home="e", accuracy_pct=PAPER_ACCURACY)
            for d in DEVICES
        ),
        Capability(node="e", tier="edge", accuracy_pct=edge),
        Capability(node="sky", tier="cloud", accuracy_pct={"d0": 89.9}),
    ]
    fleet = fleet_of(nodes)
    assert fleet is not None
    return platform_of(fleet)


def best_by_trying_all(known: Platform, costs: np.ndarray) -> tuple[float, tuple[int, ...]]:
    """The least total cost [n, O, L] of all assignments that meet the goal."""
    tiers = [o.tier for o in known.options]
    accuracy, best = known.option_accuracy, (np.inf, ())
    for choice in itertools.product(range(len(tiers)), repeat=len(DEVICES)):
        if accuracy[list(choice)].mean() < GOAL - 1e-9:
            continue
        load = {t: sum(tiers[k] == t for k in choice) for t in "EC"}
        total = sum(costs[i, k, load.get(tiers[k], 1) - 1] for i, k in enumerate(choice))
        best = min(best, (total, choice))
    return best


@pytest.mark.parametrize("seed", range(4))
def test_the_solver_equals_brute_force(seed: int) -> None:
    known, rng = platform(), np.random.default_rng(seed)
    each = rng.uniform(20, 120, (len(DEVICES), len(known.options), 1))
    costs = each + rng.uniform(0, 30, each.shape) * np.arange(len(DEVICES))
    assert _solved(known, costs)[0] == pytest.approx(best_by_trying_all(known, costs)[0])


def test_a_small_variant_at_the_edge_is_used_when_it_is_best() -> None:
    """One device has a slow processor; the others meet the goal for it."""
    known = platform()
    names = [str(o) for o in known.options]
    assert "d3@E" in names and "d3@C" not in names
    costs = np.full((len(DEVICES), len(names), len(DEVICES)), 200.0)
    costs[:, names.index("d0@C")] = 60.0
    costs[0, names.index("d3@E")] = 10.0
    total, chosen = _solved(known, costs)
    assert total == pytest.approx(best_by_trying_all(known, costs)[0]) == pytest.approx(190.0)
    assert [names[k] for k in chosen] == ["d3@E", "d0@C", "d0@C", "d0@C"]


def _solved(known: Platform, costs: np.ndarray) -> tuple[float, list[int]]:
    found = solve(
        costs, known.option_accuracy, GOAL, [o.tier for o in known.options], [0] * len(DEVICES)
    )
    assert found.exact and found.feasible and found.accuracy >= GOAL - 1e-9
    return found.cost * len(DEVICES), found.choice.tolist()
