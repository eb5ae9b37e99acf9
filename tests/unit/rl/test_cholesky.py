"""Triangular solves by blocks agree with numpy's general solver, at and around the block size."""

from __future__ import annotations

import numpy as np
import pytest

from tercet.rl.cholesky import BLOCK, CholeskyFactor

SIZES = (0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK, 150)


def factor_of(size: int) -> CholeskyFactor:
    rows = np.random.default_rng(size).standard_normal((size, size))
    return CholeskyFactor.of(rows @ rows.T + np.eye(size))


@pytest.mark.parametrize("size", SIZES)
def test_the_factor_times_its_transpose_is_the_matrix(size: int) -> None:
    rows = np.random.default_rng(size).standard_normal((size, size))
    factor = factor_of(size)
    assert len(factor) == size
    assert factor.lower @ factor.lower.T == pytest.approx(rows @ rows.T + np.eye(size))


@pytest.mark.parametrize("columns", [(), (3,)])
@pytest.mark.parametrize("size", SIZES)
def test_solves_agree_with_numpy(size: int, columns: tuple[int, ...]) -> None:
    factor = factor_of(size)
    right = np.random.default_rng(1).standard_normal((size, *columns))
    assert factor.solve(right) == pytest.approx(np.linalg.solve(factor.lower, right), rel=1e-9)
    transposed = np.linalg.solve(factor.lower.T, right)
    assert factor.solve_transposed(right) == pytest.approx(transposed, rel=1e-9)


@pytest.mark.parametrize("size", SIZES)
def test_the_inverse_is_the_inverse(size: int) -> None:
    factor = factor_of(size)
    inverse = factor.inverse()
    assert inverse == pytest.approx(np.linalg.inv(factor.lower), rel=1e-9, abs=1e-12)
    assert np.triu(inverse, 1).max(initial=0.0) == 0.0


def test_a_matrix_that_is_not_positive_definite_is_refused() -> None:
    with pytest.raises(np.linalg.LinAlgError):
        CholeskyFactor.of(-np.eye(3))
