"""Lines 21 to 34: the K joint actions that the system model finds best, as planned experience."""

from __future__ import annotations

import math

import numpy as np

from tercet.rl.experience import Experience, State
from tercet.rl.goal import Goal
from tercet.rl.paper.decision import Candidates, allowed_actions
from tercet.rl.paper.joint import MAX_LOG_MS, JointActions
from tercet.rl.paper.networks import JointNetwork, imported
from tercet.rl.paper.parameters import Parameters
from tercet.rl.paper.settings import HybridPaperSettings
from tercet.rl.platform import Assignment, Platform


def plan(
    parameters: Parameters,
    platform: Platform,
    state: State,
    goal: Goal,
    settings: HybridPaperSettings,
) -> list[Experience]:
    """Plan from a state with the parameters of the system model.

    Raises ValueError for parameters of another platform, or one of too many joint actions.
    """
    network, joint = imported(parameters, platform), JointActions(platform)
    found = promising(network, joint, state, goal, settings)
    return suggest(network, joint, state, goal, settings, found)


def promising(
    network: JointNetwork,
    joint: JointActions,
    state: State,
    goal: Goal,
    settings: HybridPaperSettings,
) -> Candidates:
    """Line 24: the best joint actions by the system model.

    A model of response times knows no goal, so what misses it is left out.
    """
    feasible_only = settings.feasible_only or settings.predicts == "response"
    allowed = allowed_actions(joint, state, goal, feasible_only)
    return Candidates.of(network, joint, state, allowed)


def suggest(
    network: JointNetwork,
    joint: JointActions,
    state: State,
    goal: Goal,
    settings: HybridPaperSettings,
    found: Candidates,
) -> list[Experience]:
    """Lines 26 to 30: the best K of `found`, with the cost that the model predicts."""
    scores = network.scores(found.rows)
    count = min(settings.best_actions, len(scores))
    best = np.argpartition(scores, count - 1)[:count]
    return [
        _planned(joint.assignment(int(found.actions[k]), state), float(scores[k]), state, goal)
        for k in best.tolist()
    ]


def _planned(assignment: Assignment, score: float, state: State, goal: Goal) -> Experience:
    """One modelled step; the model predicts the mean alone, so every device has it."""
    ms = math.exp(min(score, MAX_LOG_MS))
    response = dict.fromkeys(assignment, ms)
    return Experience(state, assignment, response, ms, state, goal, member=0)
