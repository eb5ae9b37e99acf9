"""Q and System as torch modules: the cost of a joint action in a state.

A joint action enters as one hot digit per device, beside the state; so the network generalises over
actions (one output per action would not), and its first layer is a table look-up per device when
all O^n are scored. The first layer's initial weights are torch's default, which are small: with
large ones, as in a random-feature model, similar joint actions have unrelated values
(docs/decisions/0042).

Parameters are a flat dict of arrays, `layers.<k>.weight` and `layers.<k>.bias`.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from tercet.rl.experience import State
from tercet.rl.paper.joint import context
from tercet.rl.paper.parameters import MADE_FOR, Parameters, check_platform, description
from tercet.rl.paper.replay import Batch, Floats
from tercet.rl.platform import Platform

CHUNK = 1024
"""Joint actions scored at once: larger chunks leave the processor's cache."""


class JointNetwork(nn.Module):
    """Layers of rectified units, float32; one output."""

    def __init__(self, context: int, devices: int, options: int, hidden: tuple[int, ...]) -> None:
        """`context` values of state, `devices` digits of `options` values; parameters unset."""
        super().__init__()
        self.context, self.devices, self.options = context, devices, options
        self.inputs = context + devices * options
        self.layers = nn.Sequential()
        for wide, narrow in pairwise((self.inputs, *hidden)):
            self.layers.append(nn.Linear(wide, narrow, device="meta"))
            self.layers.append(nn.ReLU())
        self.layers.append(nn.Linear(hidden[-1], 1, device="meta"))
        self.to_empty(device="cpu")
        count = sum(values.numel() for values in self.parameters())
        self.flat, self.flat_gradient = torch.zeros(count), torch.zeros(count)
        self._lay_out()

    def _lay_out(self) -> None:
        """Make all parameters, and their gradients, views of one vector each."""
        end = 0
        for values in self.parameters():
            begin, end = end, end + values.numel()
            values.data = self.flat[begin:end].view_as(values)
            values.grad = self.flat_gradient[begin:end].view_as(values)

    def initialise(self, seed: int, first_scale: float = 1.0) -> JointNetwork:
        """Draw torch's default initial parameters, the first layer's times `first_scale`."""
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for layer in self._linear:
                bound = 1.0 / math.sqrt(layer.in_features)
                for values in (layer.weight, layer.bias):
                    values.uniform_(-bound, bound, generator=generator)
            self._linear[0].weight.mul_(first_scale)
        return self

    def forward(self, rows: Tensor) -> Tensor:
        """Costs [B] of `rows` [B, W]."""
        return cast(Tensor, self.layers(rows))[:, 0]

    def rows(self, context: Floats, digits: NDArray[np.int64]) -> Floats:
        """Inputs [B, W] of option indexes `digits` [B, n] in the state `context` [C]."""
        made = np.zeros((len(digits), self.inputs), dtype=np.float32)
        made[:, : self.context] = context
        hot = self.context + np.arange(self.devices) * self.options + digits
        np.put_along_axis(made, hot, np.float32(1.0), axis=1)
        return made

    @torch.no_grad()
    def scores(self, rows: Floats) -> Floats:
        """Costs [B] of `rows` [B, W], outside training."""
        found: Floats = self(torch.from_numpy(rows)).numpy()
        return found

    @torch.no_grad()
    def score_all(self, context: Floats) -> Floats:
        """Costs of all O^n joint actions in the state `context` [C], first device first, [O^n]."""
        first = self._linear[0]
        weight = first.weight.T
        tables = weight[self.context :].reshape(self.devices, self.options, -1)
        middle = (self.devices + 1) // 2
        base = torch.from_numpy(context) @ weight[: self.context] + first.bias
        left, right = _sums(tables[:middle]) + base, _sums(tables[middle:])
        count = max(1, CHUNK // len(right))
        scored = [
            self.layers[1:]((some[:, None] + right[None]).reshape(-1, left.shape[1]))[:, 0]
            for some in torch.split(left, count)
        ]
        found: Floats = torch.cat(scored).numpy()
        return found

    @property
    def _linear(self) -> list[nn.Linear]:
        return [layer for layer in self.layers if isinstance(layer, nn.Linear)]


def use_one_thread() -> None:
    """Let torch use one thread in this process: for networks of this size, more only cost."""
    torch.set_num_threads(1)


def network_for(platform: Platform, hidden: tuple[int, ...]) -> JointNetwork:
    """A network for the states and joint actions of a platform; parameters unset."""
    width = len(context(platform, State(platform.devices)))
    return JointNetwork(width, len(platform.devices), len(platform.options), hidden)


def exported(network: JointNetwork, platform: Platform) -> Parameters:
    """A copy of all parameters, with what they are for."""
    arrays = {name: value.numpy().copy() for name, value in network.state_dict().items()}
    return {MADE_FOR: description(platform), **arrays}


def imported(parameters: Parameters, platform: Platform) -> JointNetwork:
    """The network that has these parameters; ValueError when they do not fit the platform."""
    check_platform(parameters, platform)
    arrays = {k: torch.from_numpy(v.copy()) for k, v in parameters.items() if k != MADE_FOR}
    biases = sorted(k for k in arrays if k.endswith(".bias"))  # Fewer than ten layers.
    hidden = tuple(len(arrays[k]) for k in biases[:-1])
    try:
        network = network_for(platform, hidden)
        network.load_state_dict(arrays)
    except (RuntimeError, TypeError, IndexError) as error:
        raise ValueError(f"parameters do not make a network: {error}") from error
    return network


def _sums(tables: Tensor) -> Tensor:
    """Every way to take one row of each of `tables` [n, O, H], summed, [O^n, H]."""
    summed = torch.zeros(1, tables.shape[2])
    for table in tables:
        summed = (summed[:, None] + table[None]).reshape(-1, table.shape[1])
    return summed


class Adam:
    """Lines 15, 20 and 37: Kingma and Ba, 2015, with their constants.

    torch's own optimizers import its compiler: 4 CPU seconds, and a folder in the temporary one.
    """

    def __init__(self, network: JointNetwork, rate: float) -> None:
        """`rate`: the step size, which may be changed between steps."""
        self.network, self.rate, self._steps = network, rate, 0
        self._mean, self._square = torch.zeros_like(network.flat), torch.zeros_like(network.flat)

    @torch.no_grad()
    def step(self) -> None:
        """Move all parameters against their gradients."""
        self._steps += 1
        gradient, correction = self.network.flat_gradient, 1.0 - 0.999**self._steps
        self._mean.lerp_(gradient, 0.1)
        self._square.mul_(0.999).addcmul_(gradient, gradient, value=0.001)
        spread = self._square.div(correction).sqrt_().add_(1e-8)
        rate = self.rate / (1.0 - 0.9**self._steps)
        self.network.flat.addcdiv_(self._mean, spread, value=-rate)


def learn(network: JointNetwork, optimizer: Adam, batch: Batch) -> Floats:
    """One step on the weighted Huber loss; returns absolute errors [B]."""
    costs = network(torch.from_numpy(batch.rows))
    target = torch.from_numpy(batch.cost)
    loss = functional.huber_loss(costs, target, reduction="none")
    network.flat_gradient.zero_()
    (torch.from_numpy(batch.weight) * loss).mean().backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    errors: Floats = (costs.detach() - target).abs().numpy()
    return errors


@torch.no_grad()
def polyak_update(target: JointNetwork, network: JointNetwork, share: float) -> None:
    """Move the target network towards `network` by `share` (Polyak averaging).

    The target decides: at a constant step size the network itself keeps alternating between
    assignments that differ by a few percent.
    """
    target.flat.lerp_(network.flat, share)
