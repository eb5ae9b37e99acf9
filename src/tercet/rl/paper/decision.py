"""Decide on a joint action from Q's parameters: the best, or with chance epsilon a random one.

Scoring all O^n takes tens of milliseconds with five devices. So a caller that decides again in the
same state may keep the `Candidates` of one scoring and score only those.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from tercet.rl.experience import State
from tercet.rl.goal import Goal
from tercet.rl.paper.joint import MAX_LOG_MS, Integers, JointActions, Mask, context
from tercet.rl.paper.networks import JointNetwork, imported
from tercet.rl.paper.parameters import Parameters
from tercet.rl.paper.replay import Floats
from tercet.rl.paper.settings import HybridPaperSettings
from tercet.rl.platform import Assignment, Platform

CANDIDATES = 512
"""Best joint actions of a full scoring that are scored again until the next one."""
TRIES = 100
"""Random actions drawn until one is allowed; then the greedy one is taken."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """The most promising joint actions in one state."""

    actions: Integers
    rows: Floats

    @classmethod
    def of(
        cls, network: JointNetwork, joint: JointActions, state: State, allowed: Mask
    ) -> Candidates:
        """Score everything once, and keep the best of what is `allowed` [O^n]."""
        inputs = context(joint.platform, state)
        scores = np.where(allowed, network.score_all(inputs), np.float32(np.inf))
        count = max(1, min(CANDIDATES, int(allowed.sum())))
        best = np.argpartition(scores, count - 1)[:count]
        actions = np.sort(best).astype(np.int64)
        return cls(actions, network.rows(inputs, joint.digits[actions]))

    def best(self, network: JointNetwork) -> tuple[int, float]:
        """The action of least cost by `network`, and its score."""
        scores = network.scores(self.rows)
        least = int(scores.argmin())
        return int(self.actions[least]), float(scores[least])


def allowed_actions(
    joint: JointActions,
    state: State,
    goal: Goal,
    feasible_only: bool,
    unavailable: frozenset[str] = frozenset(),
) -> Mask:
    """Joint actions to decide among, [O^n]; those that miss the goal only if there are no others.

    Raises ValueError when no active device can run anything.
    """
    possible = joint.possible(state, unavailable)
    if not possible.any():
        possible = joint.possible(state)
    if not possible.any():
        raise ValueError("an active device can run no option")
    feasible = possible & joint.meets(goal, state.active) if feasible_only else possible
    return feasible if feasible.any() else possible


def randomised(
    joint: JointActions,
    greedy: int,
    allowed: Mask,
    epsilon: float,
    nearby: float,
    rng: np.random.Generator,
) -> int:
    """Lines 9 and 10: with chance `epsilon` a random action.

    A share `nearby` of the random ones changes only one device of the greedy one.
    """
    if rng.random() >= epsilon:
        return greedy
    near = rng.random() < nearby
    for _ in range(TRIES):
        action = joint.neighbour(greedy, rng) if near else int(rng.integers(joint.count))
        if allowed[action]:
            return action
    return greedy


@dataclass(frozen=True, slots=True)
class Decision:
    """An assignment, and what Q expects of the greedy one."""

    assignment: Assignment
    greedy_ms: float


def decide(
    parameters: Parameters,
    platform: Platform,
    state: State,
    goal: Goal,
    settings: HybridPaperSettings,
    rng: np.random.Generator | None = None,
    unavailable: frozenset[str] = frozenset(),
) -> Decision:
    """Decide by Q's parameters; greedily without `rng`, else as `randomised`.

    Raises ValueError for parameters of another platform, or one of too many joint actions.
    """
    network, joint = imported(parameters, platform), JointActions(platform)
    allowed = allowed_actions(joint, state, goal, settings.feasible_only, unavailable)
    action, score = Candidates.of(network, joint, state, allowed).best(network)
    if rng is not None:
        action = randomised(joint, action, allowed, settings.epsilon, settings.nearby, rng)
    return Decision(joint.assignment(action, state), math.exp(min(score, MAX_LOG_MS)))
