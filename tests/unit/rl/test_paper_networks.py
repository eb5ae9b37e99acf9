"""The joint agents' network scores all actions as one by one; its parameters travel."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from tercet.rl.experience import NodeState, State
from tercet.rl.paper.joint import JointActions, context
from tercet.rl.paper.networks import (
    Adam,
    JointNetwork,
    exported,
    imported,
    learn,
    network_for,
    polyak_update,
)
from tercet.rl.paper.parameters import MADE_FOR, from_bytes, to_bytes
from tercet.rl.paper.replay import Batch, Memory
from tercet.sim.scenarios import paper

WORLD = paper("B", 3)
JOINT = JointActions(WORLD.platform)
INPUTS = context(WORLD.platform, WORLD.initial)


def network(seed: int = 0) -> JointNetwork:
    return network_for(WORLD.platform, (16, 8)).initialise(seed)


def batch(net: JointNetwork, size: int = 32) -> Batch:
    rng = np.random.default_rng(1)
    at = rng.integers(0, JOINT.count, size)
    cost = rng.normal(0, 2, size).astype(np.float32)
    weight = rng.uniform(0.1, 1, size).astype(np.float32)
    return Batch(net.rows(INPUTS, JOINT.digits[at]), cost, weight, at)


def test_all_actions_are_scored_as_one_by_one() -> None:
    net = network()
    expected = net.scores(net.rows(INPUTS, JOINT.digits))
    np.testing.assert_allclose(net.score_all(INPUTS), expected, rtol=1e-4, atol=1e-5)


def test_an_update_follows_the_weighted_huber_loss() -> None:
    net = network()
    seen, optimizer = batch(net), Adam(net, 1e-2)

    def loss() -> float:
        error = np.abs(net.scores(seen.rows) - seen.cost)
        return float((seen.weight * np.where(error < 1, error**2 / 2, error - 0.5)).mean())

    before = loss()
    error = np.abs(net.scores(seen.rows) - seen.cost)
    np.testing.assert_allclose(learn(net, optimizer, seen), error, rtol=1e-5)
    for _ in range(100):
        learn(net, optimizer, seen)
    assert loss() < before / 4


def test_ten_updates_are_those_of_torch() -> None:
    ours, theirs = network(), network()
    mine, reference = Adam(ours, 1e-2), torch.optim.Adam(theirs.parameters(), 1e-2)
    seen = batch(ours)
    for _ in range(10):
        learn(ours, mine, seen)
        costs = theirs(torch.from_numpy(seen.rows))
        loss = torch.nn.functional.huber_loss(costs, torch.from_numpy(seen.cost), reduction="none")
        reference.zero_grad(set_to_none=False)
        (torch.from_numpy(seen.weight) * loss).mean().backward()
        reference.step()
    np.testing.assert_allclose(ours.flat, theirs.flat, rtol=1e-3, atol=1e-5)


def test_learning_does_not_import_the_compiler_of_torch() -> None:
    code = (
        "import sys, numpy as np\n"
        "from tercet.rl.paper.networks import Adam, JointNetwork, learn\n"
        "from tercet.rl.paper.replay import Memory\n"
        "net, memory = JointNetwork(1, 1, 2, (4,)).initialise(0), Memory(4, 3)\n"
        "memory.add(np.zeros(3, np.float32), 1.0)\n"
        "learn(net, Adam(net, 1e-3), memory.sample(4, np.random.default_rng(0)))\n"
        "sys.exit('torch._dynamo' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_target_follows() -> None:
    target, net = network(0), network(1)
    before, towards = (exported(n, WORLD.platform)["layers.0.weight"] for n in (target, net))
    polyak_update(target, net, 0.25)
    after = exported(target, WORLD.platform)["layers.0.weight"]
    np.testing.assert_allclose(after, 0.75 * before + 0.25 * towards, rtol=1e-4, atol=1e-6)


def test_the_same_seed_gives_the_same_network() -> None:
    one, same, other = (network(seed).score_all(INPUTS) for seed in (3, 3, 4))
    assert (one == same).all() and (one != other).any()


def test_parameters_travel_as_safetensors() -> None:
    net = network()
    sent = exported(net, WORLD.platform)
    received = from_bytes(to_bytes(sent))
    again = imported(received, WORLD.platform)
    np.testing.assert_array_equal(again.score_all(INPUTS), net.score_all(INPUTS))


def test_parameters_of_another_platform_are_refused() -> None:
    sent = exported(network(), WORLD.platform)
    with pytest.raises(ValueError, match="other devices or options"):
        imported(sent, paper("A", 4).platform)
    fewer = replace(WORLD.platform, options=WORLD.platform.options[:-1])
    with pytest.raises(ValueError, match="other devices or options"):
        imported(sent, fewer)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"layers.0.bias": np.full(16, np.nan, np.float32)}, "layers.0.bias is not finite"),
        ({"layers.0.bias": np.zeros(16)}, "layers.0.bias is not finite float32"),
    ],
)
def test_values_that_are_no_parameters_are_refused(change, reason) -> None:
    with pytest.raises(ValueError, match=reason):
        from_bytes(to_bytes(exported(network(), WORLD.platform) | change))


def test_bytes_that_are_no_parameters_are_refused() -> None:
    with pytest.raises(ValueError, match="not safetensors"):
        from_bytes(b"nonsense")
    sent = exported(network(), WORLD.platform)
    with pytest.raises(ValueError, match=MADE_FOR):
        from_bytes(to_bytes({k: v for k, v in sent.items() if k != MADE_FOR}))
    short = {k: v for k, v in sent.items() if k != "layers.2.weight"}
    with pytest.raises(ValueError, match="do not make a network"):
        imported(short, WORLD.platform)
    with pytest.raises(ValueError, match="do not make a network"):
        imported({MADE_FOR: sent[MADE_FOR]}, WORLD.platform)


def test_the_state_is_part_of_the_input() -> None:
    busy = State(WORLD.platform.devices, {"S1": NodeState(cpu=0.5), "cloud": NodeState(memory=0.7)})
    idle = context(WORLD.platform, State(WORLD.platform.devices))
    assert (context(WORLD.platform, busy) != idle).sum() == 2
    assert (idle != INPUTS).any(), "weak links of scenario B"


def test_a_memory_overwrites_the_oldest_and_replaces_a_known_key() -> None:
    memory = Memory(3, 1)
    for value in range(4):
        memory.add(np.array([value], np.float32), float(value))
    assert memory.size == 3 and sorted(memory.cost.tolist()) == [1, 2, 3]
    keyed = Memory(2, 1)
    for key, cost in ((7, 1.0), (7, 2.0), (8, 3.0)):
        keyed.add(np.zeros(1, np.float32), cost, key)
    assert keyed.size == 2 and keyed.cost.tolist() == [2, 3] and 7 in keyed
    keyed.add(np.zeros(1, np.float32), 4.0, 9)
    assert 7 not in keyed and 8 in keyed and 9 in keyed


@pytest.mark.parametrize("exponent", [0.0, 0.6])
def test_priorities_decide_what_is_drawn(exponent) -> None:
    memory = Memory(100, 1, exponent)
    for value in range(50):
        memory.add(np.array([value], np.float32), float(value))
    rng = np.random.default_rng(0)
    everything = Batch(memory.rows[:50], memory.cost[:50], np.ones(50), np.arange(50))
    memory.prioritise(everything, np.r_[np.full(49, 1e-3), 10.0].astype(np.float32))
    drawn = memory.sample(1000, rng)
    share = (drawn.at == 49).mean()
    assert share > 0.4 if exponent else share < 0.1
    assert drawn.weight.max() == 1.0 and drawn.at.max() < 50
