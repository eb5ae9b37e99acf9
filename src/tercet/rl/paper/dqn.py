"""Deep Q-learning over joint actions: memory, update, and a list of the most promising actions.

Used by `adadeep` and `hybrid-paper`; the network is `tercet.rl.paper.joint_network`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tercet.rl.paper.joint_network import Adam, Floats, JointNetwork
from tercet.rl.replay_buffer import SumTree

Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Batch:
    """Transitions, one per row; costs, not rewards, so the best action is the least."""

    rows: Floats  # [B, W] as `JointNetwork.rows` makes them
    target: Floats  # [B] cost, plus the discounted value of what follows
    weight: Floats  # [B] importance


def learn(network: JointNetwork, optimizer: Adam, batch: Batch) -> Floats:
    """One Adam step on the weighted Huber loss; returns absolute errors [B]."""
    costs, active = network.forward(batch.rows)
    error = costs - batch.target
    slope = np.clip(error, -1.0, 1.0) * batch.weight / np.float32(len(error))
    optimizer.step(network.gradient(batch.rows, slope, active))
    absolute: Floats = np.abs(error)
    return absolute


SHORTLIST = 512
"""Best actions of a full scoring that are scored again at every decision until the next one."""


@dataclass(frozen=True, slots=True)
class Shortlist:
    """The most promising joint actions. Scoring all O^n at every step would take hours."""

    actions: Integers
    rows: Floats

    @classmethod
    def of(cls, network: JointNetwork, context: Floats, digits: Integers) -> Shortlist:
        """Score the joint actions `digits` [A, n] once, all O^n or fewer, and keep the best."""
        scores = network.score_all(context)
        if len(digits) < len(scores):
            scores = scores[digits @ network.options ** np.arange(network.devices)[::-1]]
        count = min(SHORTLIST, len(scores))
        actions = np.sort(np.argpartition(scores, count - 1)[:count]).astype(np.int64)
        return cls(actions, network.rows(context, digits[actions]))

    def best(self, network: JointNetwork) -> tuple[int, float]:
        """Least action of the list by `network`, and its score."""
        scores = network(self.rows)
        least = int(scores.argmin())
        return int(self.actions[least]), float(scores[least])


@dataclass
class Memory:
    """Transitions as arrays, so that a minibatch is one indexing; the oldest is overwritten."""

    rows: Floats
    action: Integers
    cost: NDArray[np.float64]
    size: int = 0
    cursor: int = 0

    @classmethod
    def of(cls, capacity: int, width: int) -> Memory:
        """An empty memory for rows of `width`."""
        action = np.full(capacity, -1, dtype=np.int64)
        return cls(np.zeros((capacity, width), dtype=np.float32), action, np.zeros(capacity))

    def add(self, row: Floats, action: int, cost: float) -> int:
        """Store one transition; its position."""
        at = self.cursor
        self.rows[at], self.action[at], self.cost[at] = row, action, cost
        self.cursor = (at + 1) % len(self.cost)
        self.size = max(self.size, at + 1)
        return at

    def batch(self, at: Integers, follow: float, weight: NDArray[np.float64]) -> Batch:
        """Transitions `at`, with `follow`, γ times the value of what is next, added to costs."""
        target = (self.cost[at] + follow).astype(np.float32)
        return Batch(self.rows[at], target, weight.astype(np.float32))


@dataclass
class PrioritisedMemory:
    """A memory with priorities (Schaul et al., 2016); uniform when the exponent is 0."""

    memory: Memory
    tree: SumTree
    exponent: float
    highest: float = 1.0

    @classmethod
    def of(cls, capacity: int, width: int, exponent: float) -> PrioritisedMemory:
        """Empty."""
        return cls(Memory.of(capacity, width), SumTree(capacity), exponent)

    def add(self, row: Floats, action: int, cost: float) -> int:
        """Store at the highest priority so far; the position."""
        at = self.memory.add(row, action, cost)
        if self.exponent:
            self.tree.set(np.array([at]), np.array([self.highest]))
        return at

    def sample(self, count: int, rng: np.random.Generator) -> tuple[Integers, NDArray[np.float64]]:
        """Positions and importance weights."""
        if not self.exponent:
            return rng.integers(0, self.memory.size, count), np.ones(count)
        at = self.tree.find(rng.random(count) * self.tree.total)
        at = np.minimum(at, self.memory.size - 1)
        weight = self.tree.total / (self.memory.size * np.maximum(self.tree[at], 1e-12))
        return at, weight / weight.max()

    def prioritise(self, at: Integers, errors: Floats) -> None:
        """Set priorities from absolute errors."""
        if self.exponent:
            priority = (errors.astype(np.float64) + 1e-3) ** self.exponent
            self.highest = max(self.highest, float(priority.max()))
            self.tree.set(at, priority)
