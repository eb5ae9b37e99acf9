"""Deep Q-learning over joint actions, kept practical: a first layer factored by device.

A joint action enters the network as one embedding per device, summed; so the network generalises
over actions (the usual one output per action would not), and all O^n of them are scored with one
table look-up per device. Used by `adadeep` and `hybrid-paper`, also as the latter's system model.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from rl.replay import SumTree

CHUNK = 20_000
"""Joint actions scored at once: larger chunks leave the processor's cache."""


class JointNetwork(nn.Module):
    """Cost of a joint action in a state, in units of `Batch` costs."""

    def __init__(
        self, context: int, devices: int, options: int, hidden: tuple[int, ...], seed: int
    ) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.options = options
        self.embedding = nn.Parameter(
            torch.randn(devices, options, hidden[0], generator=generator) / devices**0.5
        )
        self.context = nn.Parameter(
            torch.randn(context, hidden[0], generator=generator) / max(1, context) ** 0.5
        )
        self.bias = nn.Parameter(torch.zeros(hidden[0]))
        self.weights, self.offsets = nn.ParameterList(), nn.ParameterList()
        for wide, narrow in pairwise((*hidden, 1)):
            drawn = torch.randn(wide, narrow, generator=generator) * (2.0 / wide) ** 0.5
            self.weights.append(nn.Parameter(drawn))
            self.offsets.append(nn.Parameter(torch.zeros(narrow)))

    def forward(self, context: Tensor, digits: Tensor) -> Tensor:
        """`context` [B, C] and option indexes `digits` [B, n] int64 -> cost [B]."""
        device = torch.arange(self.embedding.shape[0])
        summed = self.embedding[device, digits].sum(dim=1)
        return self._upper(summed + context @ self.context + self.bias)

    def _upper(self, value: Tensor) -> Tensor:
        for weight, offset in zip(self.weights, self.offsets, strict=True):
            value = torch.relu(value) @ weight + offset
        return value.squeeze(-1)

    @torch.no_grad()
    def score_all(self, context: Tensor) -> Tensor:
        """Cost of all O^n joint actions in one state `context` [C], [O^n]."""
        summed = (context @ self.context + self.bias)[None]
        for table in self.embedding:
            summed = (summed[:, None] + table[None]).reshape(-1, table.shape[1])
        return torch.cat([self._upper(part) for part in torch.split(summed, CHUNK)])


@torch.no_grad()
def follow(target: JointNetwork, network: JointNetwork, share: float) -> None:
    """Move the target network towards `network` by `share` (Polyak averaging).

    The target decides: at a constant step size the network itself keeps jumping between
    assignments that differ by a few percent.
    """
    for slow, fast in zip(target.parameters(), network.parameters(), strict=True):
        slow.lerp_(fast, share)


@dataclass(frozen=True, slots=True)
class Batch:
    """Transitions, one per row; costs, not rewards, so the best action is the least."""

    context: Tensor  # [B, C]
    digits: Tensor  # [B, n] int64
    target: Tensor  # [B] cost, plus the discounted value of what follows
    weight: Tensor  # [B] importance


def learn(network: JointNetwork, optimizer: torch.optim.Optimizer, batch: Batch) -> Tensor:
    """One Adam step on the weighted Huber loss; returns absolute errors [B]."""
    error = network(batch.context, batch.digits) - batch.target
    loss = (
        batch.weight * nn.functional.huber_loss(error, torch.zeros_like(error), reduction="none")
    ).mean()
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    absolute: Tensor = error.detach().abs()
    return absolute


SHORTLIST = 512
"""Best actions of a full scoring that are scored again at every decision until the next one."""


@dataclass(frozen=True, slots=True)
class Shortlist:
    """The most promising joint actions. Scoring all O^n at every step would take hours."""

    actions: NDArray[np.int64]
    digits: Tensor
    context: Tensor

    @classmethod
    def of(cls, network: JointNetwork, context: Tensor, digits: NDArray[np.int64]) -> Shortlist:
        """Score everything once, with `digits` [O^n, n], and keep the best."""
        scores = network.score_all(context).numpy()
        count = min(SHORTLIST, len(scores))
        actions = np.sort(np.argpartition(scores, count - 1)[:count]).astype(np.int64)
        chosen = torch.from_numpy(digits[actions])
        return cls(actions, chosen, context.expand(count, -1))

    @torch.no_grad()
    def best(self, network: JointNetwork) -> tuple[int, float]:
        """Least action of the list by `network`, and its score."""
        scores = network(self.context, self.digits)
        least = int(scores.argmin())
        return int(self.actions[least]), float(scores[least])


@dataclass
class Memory:
    """Transitions as arrays, so that a minibatch is one indexing; the oldest is overwritten."""

    context: NDArray[np.float32]
    digits: NDArray[np.int64]
    cost: NDArray[np.float64]
    size: int = 0
    cursor: int = 0

    @classmethod
    def of(cls, capacity: int, context: int, devices: int) -> Memory:
        """An empty memory."""
        return cls(
            np.zeros((capacity, context), dtype=np.float32),
            np.zeros((capacity, devices), dtype=np.int64),
            np.zeros(capacity),
        )

    def add(self, context: NDArray[np.float32], digits: NDArray[np.int64], cost: float) -> int:
        """Store one transition; its position."""
        at = self.cursor
        self.context[at], self.digits[at], self.cost[at] = context, digits, cost
        self.cursor = (at + 1) % len(self.cost)
        self.size = max(self.size, at + 1)
        return at

    def batch(self, at: NDArray[np.int64], follow: float, weight: NDArray[np.float64]) -> Batch:
        """Transitions `at`, with `follow`, γ times the value of what is next, added to costs."""
        return Batch(
            torch.from_numpy(self.context[at]),
            torch.from_numpy(self.digits[at]),
            torch.from_numpy((self.cost[at] + follow).astype(np.float32)),
            torch.from_numpy(weight.astype(np.float32)),
        )


@dataclass
class Prioritised:
    """A memory with priorities (Schaul et al., 2016)."""

    memory: Memory
    tree: SumTree
    exponent: float
    highest: float = 1.0

    @classmethod
    def of(cls, capacity: int, width: int, devices: int, exponent: float) -> Prioritised:
        """Empty."""
        return cls(Memory.of(capacity, width, devices), SumTree(capacity), exponent)

    def add(self, seen: NDArray[np.float32], digits: NDArray[np.int64], cost: float) -> int:
        """Store at the highest priority so far; the position."""
        at = self.memory.add(seen, digits, cost)
        self.tree.set(np.array([at]), np.array([self.highest]))
        return at

    def sample(
        self, count: int, rng: np.random.Generator
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Positions and importance weights."""
        at = self.tree.find(rng.random(count) * self.tree.total)
        at = np.minimum(at, self.memory.size - 1)
        weight = self.tree.total / (self.memory.size * np.maximum(self.tree[at], 1e-12))
        return at, weight / weight.max()

    def prioritise(self, at: NDArray[np.int64], errors: NDArray[np.float64]) -> None:
        """Set priorities from absolute errors."""
        priority = (errors + 1e-3) ** self.exponent
        self.highest = max(self.highest, float(priority.max()))
        self.tree.set(at, priority)
