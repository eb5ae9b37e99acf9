"""The joint agents' network computes what torch would, and scores all actions as one by one."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from tercet.rl.paper.dqn import Batch, Memory, PrioritisedMemory, Shortlist, learn
from tercet.rl.paper.joint_network import Adam, JointNetwork, polyak_update, views

CONTEXT, DEVICES, OPTIONS = 3, 4, 5
DIGITS = np.stack(np.unravel_index(np.arange(OPTIONS**DEVICES), (OPTIONS,) * DEVICES), axis=1)


def network(hidden: tuple[int, ...], seed: int = 0) -> JointNetwork:
    return JointNetwork(CONTEXT, DEVICES, OPTIONS, hidden, seed)


def batch(net: JointNetwork, size: int = 32, seed: int = 1) -> Batch:
    rng = np.random.default_rng(seed)
    rows = net.rows(
        rng.standard_normal(CONTEXT).astype(np.float32), DIGITS[rng.integers(0, len(DIGITS), size)]
    )
    target = rng.normal(0, 2, size).astype(np.float32)
    return Batch(rows, target, rng.uniform(0.1, 1, size).astype(np.float32))


def with_torch(theta: Tensor, net: JointNetwork, rows: Tensor) -> Tensor:
    """The same network, by torch."""
    sizes = [a * b for a, b in net.shapes]
    parts = [p.reshape(s) for p, s in zip(theta.split(sizes), net.shapes, strict=True)]
    value = rows @ parts[0]
    for weight, offset in zip(parts[1::2], parts[2::2], strict=True):
        value = torch.relu(value) @ weight + offset
    return value[:, 0]


@pytest.mark.parametrize("hidden", [(16,), (16, 8), (8, 8, 4)])
def test_ten_updates_are_those_of_torch(hidden) -> None:
    ours = network(hidden)
    theta = torch.nn.Parameter(torch.from_numpy(ours.theta.copy()))
    theirs, adam = torch.optim.Adam([theta], 1e-2), Adam(ours, 1e-2)
    for seed in range(10):
        seen = batch(ours, seed=seed)
        error = with_torch(theta, ours, torch.from_numpy(seen.rows)) - torch.from_numpy(seen.target)
        huber = torch.nn.functional.huber_loss(error, torch.zeros_like(error), reduction="none")
        theirs.zero_grad()
        (torch.from_numpy(seen.weight) * huber).mean().backward()
        theirs.step()
        absolute = learn(ours, adam, seen)
        np.testing.assert_allclose(absolute, error.detach().abs().numpy(), rtol=2e-3, atol=2e-4)
    np.testing.assert_allclose(ours.theta, theta.detach().numpy(), rtol=2e-3, atol=2e-4)


@pytest.mark.parametrize("hidden", [(16,), (16, 8)])
def test_all_actions_are_scored_as_one_by_one(hidden) -> None:
    net = network(hidden, seed=3)
    context = np.random.default_rng(0).standard_normal(CONTEXT).astype(np.float32)
    expected = net(net.rows(context, DIGITS))
    np.testing.assert_allclose(net.score_all(context), expected, rtol=1e-4, atol=1e-5)
    best, score = Shortlist.of(net, context, DIGITS).best(net)
    assert best == int(expected.argmin()) and score == pytest.approx(float(expected.min()), 1e-4)


def test_the_step_size_fades_and_the_target_follows() -> None:
    steady, fading = network((8,)), network((8,))
    seen = batch(steady)
    for net, fade in ((steady, 0.0), (fading, 1.0)):
        adam = Adam(net, 1e-2, fade)
        start = net.theta.copy()
        learn(net, adam, seen)
        moved = np.abs(net.theta - start).max()
        assert moved == pytest.approx(1e-2 / (1 + fade), rel=1e-2)
    target = network((8,))
    before = target.theta.copy()
    polyak_update(target, steady, 0.25)
    np.testing.assert_allclose(target.theta, 0.75 * before + 0.25 * steady.theta, rtol=1e-5)
    assert target.layers[0].base is target.theta


def test_views_share_their_memory() -> None:
    flat = np.arange(10, dtype=np.float32)
    first, second = views(flat, [(2, 3), (4, 1)])
    second[0, 0] = 99
    assert first.shape == (2, 3) and flat[6] == 99


def test_memory_overwrites_its_oldest_and_priorities_are_sampled_in_proportion() -> None:
    memory = Memory.of(2, 3)
    for k in range(3):
        memory.add(np.full(3, k, dtype=np.float32), k, float(k))
    assert memory.action.tolist() == [2, 1] and memory.size == 2
    kept = PrioritisedMemory.of(300, 1, 1.0)
    for k in range(300):
        kept.add(np.zeros(1, dtype=np.float32), k, 0.0)
    errors = np.zeros(300, dtype=np.float32)
    errors[[7, 250]] = 1.0, 3.0
    kept.prioritise(np.arange(300), errors)
    at, weight = kept.sample(4000, np.random.default_rng(0))
    share = np.bincount(at, minlength=300) / len(at)
    assert share[250] == pytest.approx(3 * share[7], rel=0.15) and share[[7, 250]].sum() > 0.85
    assert weight.max() == 1.0 and weight[at == 250].max() < weight[at == 7].max()
