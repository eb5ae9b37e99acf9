"""Solve for all effects at once: Gauss-Newton steps, each by preconditioned conjugate gradients.

With Gaussian priors and noise the posterior mean solves a sparse linear system that is never
written out; warm-started, a few iterations suffice after each window. The logarithm of a sum of
parts is linearised around the present estimate, with each part's share of the sum as its weight.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

TOLERANCE = 1e-4
"""Residual, relative to the right-hand side's in the preconditioner's norm, at which it ends."""

MAX_ITERATIONS = 80

REFINEMENTS = 3
"""Rounds in which variances are computed given each other's."""

MAX_LOG = 25.0
"""Bound of a logarithm before exp()."""


@dataclass(frozen=True)
class Design:
    """N labels over C parts of at most Z effects each, and one effect of each label as a whole."""

    label: Integers
    """Label of each part, [C]."""
    share: Floats
    """Weight of each part in its label's sum, [C]."""
    level: Floats
    """Known addend of each part, log units, [C]."""
    column: Integers
    """[C, Z]"""
    value: Floats
    """[C, Z]"""
    cell: Integers
    """Effect of each label as a whole, [N]; negative: none."""

    def parts(self, effects: Floats) -> Floats:
        """Each part's logarithm, [C]."""
        value: Floats = (effects[self.column] * self.value).sum(axis=1) + self.level
        return np.clip(value, -MAX_LOG, MAX_LOG)

    def totals(self, effects: Floats) -> tuple[Floats, Floats]:
        """Logarithm of each label's sum without its own effect [N], and each part's share [C]."""
        raised = self.share * np.exp(self.parts(effects))
        total = np.bincount(self.label, raised, len(self.cell))
        return np.log(np.maximum(total, 1e-300)), raised / total[self.label]


def update(
    design: Design,
    log: Floats,
    precision: Floats,
    prior: Floats,
    strength: Floats,
    effects: Floats,
    passes: int = 2,
) -> tuple[Floats, Floats]:
    """Posterior mean [D] and conditional variance [D] of all effects.

    `log` [N] are the labels, `precision` [N] theirs, `prior` and `strength` [D] mean and precision
    of each effect, `effects` [D] the estimate to start from.
    """  # fmt: skip
    flat, width = design.column.ravel(), len(effects)
    own, cell = design.cell >= 0, np.maximum(design.cell, 0)
    for _ in range(passes):
        level, share = design.totals(effects)
        scaled = share[:, None] * design.value

        def forward(x: Floats, scaled: Floats = scaled) -> Floats:
            part = (scaled * x[design.column]).sum(axis=1)
            summed: Floats = np.bincount(design.label, part, len(cell)).astype(np.float64)
            return summed + own * x[cell]

        def backward(u: Floats, scaled: Floats = scaled) -> Floats:
            spread = (scaled * u[design.label][:, None]).ravel()
            summed: Floats = np.bincount(flat, spread, width).astype(np.float64)
            return summed + np.bincount(cell, own * u, width)

        target = log - level + forward(effects) - own * effects[cell]
        wanted = strength * prior + backward(precision * target)
        weighted = (scaled**2 * precision[design.label][:, None]).ravel()
        diagonal = strength + np.bincount(flat, weighted, width)
        diagonal += np.bincount(cell, own * precision, width)
        effects = conjugate_gradients(
            lambda x: strength * x + backward(precision * forward(x)), diagonal, wanted, effects
        )
    return effects, _variance(design, scaled, precision, strength, 1.0 / diagonal)


def _variance(
    design: Design, scaled: Floats, precision: Floats, strength: Floats, variance: Floats
) -> Floats:
    """Variance of each effect [D], given all others where labels are of one row each.

    A label that is the mean of several rows tells little of one row while the others are unknown:
    their variance counts as its noise. `variance` [D] is that given all others.
    """
    several = design.share < 1.0
    if not several.any():
        return variance
    own, cell = design.cell >= 0, np.maximum(design.cell, 0)
    noise = 1.0 / np.maximum(precision, 1e-12)
    whole = strength + np.bincount(cell, own * precision, len(strength))
    for _ in range(REFINEMENTS):
        each = scaled**2 * variance[design.column]
        label = np.bincount(design.label, each.sum(axis=1), len(cell))
        others = several[:, None] * np.maximum(label[design.label][:, None] - each, 0.0)
        precise = scaled**2 / (noise[design.label][:, None] + others)
        variance = 1.0 / (
            whole + np.bincount(design.column.ravel(), precise.ravel(), len(strength))
        )
    return variance


def conjugate_gradients(
    apply: Callable[[Floats], Floats], diagonal: Floats, wanted: Floats, start: Floats
) -> Floats:
    """Solve A x = `wanted`, all [D], preconditioned by A's diagonal."""
    solution, residual = start.copy(), wanted - apply(start)
    limit = TOLERANCE**2 * max(float((wanted**2 / diagonal).sum()), 1e-30)
    direction = residual / diagonal
    energy = float(residual @ direction)
    for _ in range(MAX_ITERATIONS):
        if energy <= limit:
            break
        image = apply(direction)
        step = energy / float(direction @ image)
        solution += step * direction
        residual -= step * image
        steeper = residual / diagonal
        after = float(residual @ steeper)
        direction = steeper + (after / energy) * direction
        energy = after
    return solution
