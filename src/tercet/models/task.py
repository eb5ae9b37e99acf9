"""A task: what the models of a family answer about a picture or other input.

A task has one class, and an object of it is one variant that is ready to run. A new task is such a
class, its name in `manifest.Task` and its line in `tasks.OPEN`; `raw_tensors` is the shortest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

I = TypeVar("I")  # noqa: E741


@dataclass(frozen=True, slots=True)
class Box:
    """One object: where it is in pixels of the picture as sent, upright."""

    name: str
    """Its class."""
    probability: float
    x_min: float
    y_min: float
    x_max: float
    y_max: float


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a model answers about one input; each task fills its own part."""

    labels: tuple[tuple[str, float], ...] = ()
    """The likeliest classes, name and probability, best first."""
    boxes: tuple[Box, ...] = ()
    """Objects, best first."""
    picture: tuple[int, int] | None = None
    """Width and height of the picture that the boxes refer to, pixels."""
    tensors: tuple[tuple[str, NDArray[np.generic]], ...] = ()
    """The model's own outputs, by name."""


class Task(Protocol[I]):
    """One variant, ready to run."""

    @property
    def can_batch(self) -> bool:
        """Whether one run takes several inputs."""

    def sample(self) -> bytes:
        """What may be sent, to time the model with."""

    def prepared(self, content: bytes) -> I:
        """The model's input from what was sent. Raises `InputError`."""

    def answered(self, inputs: Sequence[I]) -> list[Prediction]:
        """The answers to several inputs, in one run; more than one only if `can_batch`."""
