"""A small network over joint actions, in plain numpy: forward, backward, Adam.

A joint action enters as one hot digit per device, beside the context and a constant; so the
network generalises over actions (one output per action would not), and its first layer is a table
look-up per device when all O^n are scored. At this size most of a framework's time is overhead
between operations. All parameters are in one vector, so an update is a few operations on it,
whatever the number of layers.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

CHUNK = 1024
"""Joint actions scored at once: larger chunks leave the processor's cache."""


class JointNetwork:
    """Cost of a joint action in a state; layers of rectified units, float32."""

    def __init__(
        self, context: int, devices: int, options: int, hidden: tuple[int, ...], seed: int
    ) -> None:
        rng = np.random.default_rng(seed)
        self.context, self.devices, self.options = context, devices, options
        self.inputs = context + devices * options + 1
        self.widths = (*hidden, 1)
        shapes = [(self.inputs, hidden[0])]
        for wide, narrow in pairwise(self.widths):
            shapes += [(wide, narrow), (1, narrow)]
        self.shapes = shapes
        self.theta = np.zeros(sum(a * b for a, b in shapes), dtype=np.float32)
        self.layers = views(self.theta, shapes)
        first, *upper = self.layers
        first[:] = rng.standard_normal(first.shape) / devices**0.5
        first[:context] *= (devices / max(1, context)) ** 0.5
        first[-1] = 0.0
        for weight in upper[::2]:
            weight[:] = rng.standard_normal(weight.shape) * (2.0 / len(weight)) ** 0.5

    def rows(self, context: Floats, digits: NDArray[np.int64]) -> Floats:
        """Inputs [B, W] of option indexes `digits` [B, n] in the state `context` [C]."""
        made = np.zeros((len(digits), self.inputs), dtype=np.float32)
        made[:, : self.context] = context
        made[:, -1] = 1.0
        hot = self.context + np.arange(self.devices) * self.options + digits
        np.put_along_axis(made, hot, np.float32(1.0), axis=1)
        return made

    def __call__(self, rows: Floats) -> Floats:
        """Costs [B] of `rows` [B, W]."""
        return self._upper(rows @ self.layers[0])

    def _upper(self, value: Floats) -> Floats:
        """Everything above the first layer's sums `value` [B, H], which are overwritten."""
        for weight, offset in zip(self.layers[1::2], self.layers[2::2], strict=True):
            np.maximum(value, 0.0, out=value)
            value = value @ weight
            value += offset
        return value[:, 0]

    def score_all(self, context: Floats) -> Floats:
        """Costs of all O^n joint actions in the state `context` [C], first device first, [O^n]."""
        first = self.layers[0]
        tables = first[self.context : -1].reshape(self.devices, self.options, -1)
        middle = (self.devices + 1) // 2
        left = _sums(tables[:middle]) + (context @ first[: self.context] + first[-1])
        right = _sums(tables[middle:])
        rows = max(1, CHUNK // len(right))
        scores = np.empty((len(left), len(right)), dtype=np.float32)
        for k in range(0, len(left), rows):
            summed = (left[k : k + rows, None] + right[None]).reshape(-1, left.shape[1])
            scores[k : k + rows] = self._upper(summed).reshape(-1, len(right))
        return scores.ravel()

    def gradient(self, rows: Floats, slope: Floats, active: list[Floats]) -> Floats:
        """Gradient of sum(slope · cost) by all parameters; `active` from `forward`."""
        found = np.empty_like(self.theta)
        parts = views(found, self.shapes)
        back = slope[:, None]
        for layer in range(len(active) - 1, -1, -1):
            np.matmul(active[layer].T, back, out=parts[1 + 2 * layer])
            back.sum(axis=0, keepdims=True, out=parts[2 + 2 * layer])
            back = (back @ self.layers[1 + 2 * layer].T) * (active[layer] > 0)
        np.matmul(rows.T, back, out=parts[0])
        return found

    def forward(self, rows: Floats) -> tuple[Floats, list[Floats]]:
        """Costs [B], and the activations of the hidden layers, which `gradient` needs."""
        value, active = rows @ self.layers[0], []
        for weight, offset in zip(self.layers[1::2], self.layers[2::2], strict=True):
            np.maximum(value, 0.0, out=value)
            active.append(value)
            value = value @ weight + offset
        return value[:, 0], active


def views(flat: Floats, shapes: list[tuple[int, int]]) -> list[Floats]:
    """The matrices that lie one after the other in `flat`."""
    ends = np.cumsum([a * b for a, b in shapes]).tolist()
    starts = [0, *ends[:-1]]
    return [flat[a:b].reshape(s) for a, b, s in zip(starts, ends, shapes, strict=True)]


def _sums(tables: Floats) -> Floats:
    """Every way to take one row of each of `tables` [n, O, H], summed, [O^n, H]."""
    summed = np.zeros((1, tables.shape[2]), dtype=np.float32)
    for table in tables:
        summed = (summed[:, None] + table[None]).reshape(-1, table.shape[1])
    return summed


class Adam:
    """Kingma and Ba, 2015, with their constants."""

    def __init__(self, network: JointNetwork, rate: float, fade: float = 0.0) -> None:
        """`rate` is the step size at first; it falls as 1 / (1 + `fade` · updates)."""
        self.network, self.rate, self.fade, self.updates = network, rate, fade, 0
        self.mean, self.square = np.zeros_like(network.theta), np.zeros_like(network.theta)

    def step(self, gradient: Floats) -> None:
        """Move the network's parameters against `gradient`, which is overwritten."""
        self.updates += 1
        rate = self.rate / (1.0 + self.fade * self.updates)
        rate *= (1.0 - 0.999**self.updates) ** 0.5 / (1.0 - 0.9**self.updates)
        self.mean += 0.1 * (gradient - self.mean)
        np.square(gradient, out=gradient)
        gradient -= self.square
        gradient *= 0.001
        self.square += gradient
        root = np.sqrt(self.square, out=gradient)
        root += 1e-8 * (1.0 - 0.999**self.updates) ** 0.5
        np.divide(self.mean, root, out=root)
        root *= rate
        self.network.theta -= root


def polyak_update(target: JointNetwork, network: JointNetwork, share: float) -> None:
    """Move the target network towards `network` by `share` (Polyak averaging).

    The target decides: at a constant step size the network itself keeps alternating between
    assignments that differ by a few percent.
    """
    target.theta += share * (network.theta - target.theta)
