"""All that a decision is made by, as plain arrays: costs, values of states, nodes to be probed.

Values and probes are there only where there are any, so where nothing is to be planned the
parameters are those of the costs alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tercet.rl.costs.parameters import from_parameters as knowledge_of
from tercet.rl.costs.parameters import to_parameters as of_knowledge
from tercet.rl.costs.prediction import Knowledge
from tercet.rl.goal import Goal
from tercet.rl.planning.conditions import FIELDS
from tercet.rl.planning.values import Values

Arrays = dict[str, NDArray[np.generic]]

VALUES, GOAL, PROBES = "values.", "goal", "probes"
"""Prefix of the arrays of values; the goal that they are for; what is to be probed."""

Probes = tuple[tuple[str, int], ...]
"""Nodes, and the fields of their condition that loads may move (`tercet.rl.planning.probing`)."""


@dataclass(frozen=True)
class GoalValues:
    """What states are worth under the best decisions for one goal."""

    goal: str
    """Text of the parsed goal."""
    values: Values

    def parameters(self) -> Arrays:
        """As plain arrays."""
        return {**self.values.parameters(), GOAL: _packed(self.goal)}

    @classmethod
    def of(cls, parameters: Mapping[str, NDArray[np.generic]]) -> GoalValues:
        """The inverse of `parameters`; raises ValueError that names what is wrong."""
        rest = {name: array for name, array in parameters.items() if name != GOAL}
        if len(rest) == len(parameters):
            raise ValueError(f"parameters without {GOAL}")
        goal = _unpacked(GOAL, parameters[GOAL])
        if not isinstance(goal, str):
            raise ValueError("parameters: goal is no text")
        return cls(goal, Values.of(rest))


@dataclass(frozen=True)
class PolicyParameters:
    """What the learner publishes and the decider decides by."""

    knowledge: Knowledge
    planned: GoalValues | None = None
    probes: Probes = field(default=())

    def values(self, goal: Goal) -> Values | None:
        """What states are worth for a goal; None where nothing is planned, or not yet for it."""
        known = self.planned
        return None if known is None or known.goal != str(goal) else known.values

    def parameters(self) -> Arrays:
        """As plain arrays."""
        found: Arrays = dict(of_knowledge(self.knowledge))
        if self.planned is not None:
            planned = self.planned.parameters()
            found |= {VALUES + name: array for name, array in planned.items()}
        if self.probes:
            found[PROBES] = _packed([list(probe) for probe in self.probes])
        return found

    @classmethod
    def of(cls, parameters: Mapping[str, NDArray[np.generic]]) -> PolicyParameters:
        """The inverse of `parameters`; raises ValueError that names what is wrong."""
        planned = {
            name.removeprefix(VALUES): array
            for name, array in parameters.items()
            if name.startswith(VALUES)
        }
        rest = {n: a for n, a in parameters.items() if not n.startswith(VALUES) and n != PROBES}
        return cls(
            knowledge_of(rest),
            GoalValues.of(planned) if planned else None,
            _probes(parameters[PROBES]) if PROBES in parameters else (),
        )


def _probes(array: NDArray[np.generic]) -> Probes:
    """Read probes; raises ValueError."""
    try:
        found = tuple((str(node), int(f)) for node, f in _unpacked(PROBES, array))
    except (TypeError, ValueError) as error:
        raise ValueError(f"parameters: {PROBES} cannot be read: {error}") from error
    if any(not 0 <= f < len(FIELDS) for _, f in found):
        raise ValueError(f"parameters: {PROBES} of an unknown field")
    return found


def _packed(value: object) -> NDArray[np.uint8]:
    return np.frombuffer(json.dumps(value).encode(), dtype=np.uint8)


def _unpacked(name: str, array: NDArray[np.generic]) -> Any:
    """The value that was packed; raises ValueError."""
    try:
        return json.loads(np.asarray(array, dtype=np.uint8).tobytes())
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"parameters: {name} cannot be read: {error}") from error
