"""Planning: members of the system model predict rounds that are worth exploring.

Algorithm 1, lines 21-33. The K best actions of line 27 come from the solver instead of sorting
10^n of them: each member's own optimum, then perturbations of it that still meet the goal.
"""

from __future__ import annotations

import numpy as np

from tercet.rl.experience import Experience, State
from tercet.rl.features import Profile
from tercet.rl.goal import Goal, met, required_accuracy
from tercet.rl.hybrid.decision import decide, read
from tercet.rl.hybrid.system_model import StatePredictor
from tercet.rl.network import Parameters, members
from tercet.rl.options import Option
from tercet.rl.platform import Platform, mean_accuracy


def plan(
    models: Parameters,
    platform: Platform,
    state: State,
    goal: Goal,
    count: int,
    rng: np.random.Generator,
    slots: tuple[int, ...] | None = None,
    profile: Profile | None = None,
    state_predictor: StatePredictor | None = None,
) -> list[Experience]:
    """Return up to `count` planned experiences per member, tagged with the member.

    `models` holds M members (`tercet.rl.network.stack`), `slots` their numbers (default 0..M-1).
    """
    planned = []
    after = state_predictor.predict(state) if state_predictor else state
    for m in range(members(models)):
        best = decide(models, platform, state, goal, m, rng, profile)
        if not best.devices:
            continue
        proposals = [best.assignment]
        proposals += [perturbed(platform, best.assignment, goal, rng) for _ in range(count - 1)]
        for assignment in proposals:
            response = read(platform, best.devices, assignment, best.table)
            average = sum(response.values()) / len(response)
            member = slots[m] if slots else m
            planned.append(
                Experience(state, assignment, response, average, after, goal, member=member)
            )
    return planned


def perturbed(
    platform: Platform, assignment: dict[str, Option], goal: Goal, rng: np.random.Generator
) -> dict[str, Option]:
    """Change one or two devices at random; the original when that would miss the goal."""
    changed = dict(assignment)
    devices = list(assignment)
    for device in rng.choice(len(devices), size=min(2, len(devices)), replace=False):
        option = platform.options[int(rng.integers(len(platform.options)))]
        if platform.offers(devices[device], option):
            changed[devices[device]] = option
    required = required_accuracy(goal, (platform.accuracy[o.variant] for o in platform.options))
    return changed if met(mean_accuracy(platform, changed), required) else assignment
