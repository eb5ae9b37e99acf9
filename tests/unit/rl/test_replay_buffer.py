"""The sum tree draws in proportion to priority, at any size."""

from __future__ import annotations

import numpy as np
import pytest

from tercet.rl.replay_buffer import BRANCH, SumTree


@pytest.mark.parametrize("capacity", [1, 5, BRANCH, BRANCH + 1, 1000])
def test_each_mass_falls_into_its_leaf(capacity) -> None:
    rng = np.random.default_rng(capacity)
    priority = rng.uniform(0.1, 2.0, capacity)
    priority[rng.integers(0, capacity, capacity // 3)] = 0.0
    priority[0] = 1.0
    tree = SumTree(capacity)
    tree.set(np.arange(capacity), priority)
    assert tree.total == pytest.approx(priority.sum())
    mass = rng.random(500) * tree.total
    expected = np.searchsorted(np.cumsum(priority), mass, side="right")
    np.testing.assert_array_equal(tree.find(mass), expected)


def test_a_leaf_set_twice_takes_the_last_priority() -> None:
    tree = SumTree(10)
    tree.set(np.array([3, 3]), np.array([5.0, 2.0]))
    assert tree.total == 2.0 and tree[np.array([3])].tolist() == [2.0]
