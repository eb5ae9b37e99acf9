"""The sparse solver against a dense one, and what an effect without evidence keeps."""

from __future__ import annotations

import numpy as np

from tercet.rl.costs.effects import INDEX, PRIOR_SCALE, Effects, key
from tercet.rl.costs.evidence import Evidence, Part
from tercet.rl.costs.mixed_model import Design, update
from tercet.rl.costs.priors import RowPriors, robust_strength


def test_it_solves_what_a_dense_solver_solves() -> None:
    rng, labels, effects = np.random.default_rng(3), 40, 12
    column = rng.integers(0, effects - 2, (labels, 3))
    value = rng.normal(size=(labels, 3))
    cell = np.where(np.arange(labels) % 2, effects - 1, -1)
    design = Design(np.arange(labels), np.ones(labels), np.zeros(labels), column, value, cell)
    log, precision = rng.normal(size=labels), rng.uniform(0.5, 3.0, labels)
    prior, strength = rng.normal(size=effects), rng.uniform(0.5, 2.0, effects)
    dense = np.zeros((labels, effects))
    np.add.at(dense, (np.arange(labels)[:, None], column), value)
    dense[cell >= 0, effects - 1] += 1.0
    wanted = np.linalg.solve(
        dense.T @ (precision[:, None] * dense) + np.diag(strength),
        strength * prior + dense.T @ (precision * log),
    )
    found, _ = update(design, log, precision, prior, strength, np.zeros(effects))
    np.testing.assert_allclose(found, wanted, atol=2e-3)


def test_an_untried_option_keeps_the_variance_of_its_group() -> None:
    effects, evidence = Effects(), Evidence(1000.0)
    keys = key("node.variant", np.arange(6), np.zeros(6, dtype=np.int64))
    columns = effects.columns(keys)
    used = columns[:5, None]
    part = Part(used, np.ones((5, 1)), True, np.zeros(5))
    evidence.add(np.arange(5), np.zeros(5), np.full(5, 1e3), 1, [part])
    mean, variance = np.zeros(6), np.full(6, 1e-4)
    strength = robust_strength(effects, mean, variance, evidence.parts, RowPriors())
    group = INDEX["node.variant"]
    assert strength[columns[5]] == 1.0 / PRIOR_SCALE[group] ** 2
    assert (strength[columns[:5]] > 10.0 * strength[columns[5]]).all()
