"""Triangular solves with a Cholesky factor, in numpy alone.

numpy has no triangular solver, and `np.linalg.solve` would factorise the factor again. Here the
diagonal blocks are inverted once per factor, so that each solve is a few matrix products per block.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

BLOCK = 32
"""Rows of a diagonal block: 16 to 64 are about equally fast from 150 to 1500 columns."""


@dataclass(frozen=True, slots=True)
class CholeskyFactor:
    """Lower triangular L with L Lᵀ = A, and the inverses of its diagonal blocks."""

    lower: Floats  # [D, D]
    inverses: Floats  # [ceil(D / BLOCK), BLOCK, BLOCK]; the last one is padded with the identity

    @classmethod
    def of(cls, matrix: Floats) -> CholeskyFactor:
        """Factorise a positive definite matrix [D, D]; raises LinAlgError on any other."""
        lower = np.linalg.cholesky(matrix).astype(np.float64, copy=False)
        size = len(lower)
        diagonal = np.tile(np.eye(BLOCK), (-(-size // BLOCK), 1, 1))
        for block, first in zip(diagonal, range(0, size, BLOCK), strict=True):
            here = lower[first : first + BLOCK, first : first + BLOCK]
            block[: len(here), : len(here)] = here
        return cls(lower, np.tril(np.linalg.inv(diagonal)))  # pivoting leaves rounding above it

    def __len__(self) -> int:
        return len(self.lower)

    def solve(self, right: Floats) -> Floats:
        """Return x with L x = b; b is [D] or [D, k]."""
        x = np.empty_like(right)
        for first, last, inverse in self._blocks():
            rest = right[first:last] - self.lower[first:last, :first] @ x[:first]
            x[first:last] = inverse @ rest
        return x

    def solve_transposed(self, right: Floats) -> Floats:
        """Return x with Lᵀ x = b; b is [D] or [D, k]."""
        x = np.empty_like(right)
        for first, last, inverse in reversed(self._blocks()):
            rest = right[first:last] - self.lower[last:, first:last].T @ x[last:]
            x[first:last] = inverse.T @ rest
        return x

    def inverse(self) -> Floats:
        """Return L⁻¹, [D, D]; A⁻¹ is its transpose times itself."""
        x = np.zeros_like(self.lower)
        for first, last, inverse in self._blocks():
            x[first:last, first:last] = inverse
            x[first:last, :first] = -inverse @ (self.lower[first:last, :first] @ x[:first, :first])
        return x

    def _blocks(self) -> list[tuple[int, int, Floats]]:
        """First row, end, and inverse of each diagonal block."""
        size = len(self.lower)
        ends = [min(size, first + BLOCK) for first in range(0, size, BLOCK)]
        return [
            (k * BLOCK, end, inverse[: end - k * BLOCK, : end - k * BLOCK])
            for k, (end, inverse) in enumerate(zip(ends, self.inverses, strict=True))
        ]
