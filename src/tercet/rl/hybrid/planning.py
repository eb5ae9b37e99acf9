"""Planning: a member of the system model predicts windows that are worth exploring.

Algorithm 1, lines 21-33. The K best actions of line 27 come from the solver instead of sorting
10^n of them: the optimum in the predicted state, then perturbations of it that still meet the goal.
"""

from __future__ import annotations

import numpy as np

from tercet.rl.costs.encoding import Profile
from tercet.rl.costs.prediction import Knowledge
from tercet.rl.costs.reading import choice_of, costs_of
from tercet.rl.experience import Experience, State
from tercet.rl.goal import Goal, met, required_accuracy
from tercet.rl.hybrid.decision import decide
from tercet.rl.hybrid.system_model import predict
from tercet.rl.options import Option
from tercet.rl.platform import Platform, mean_accuracy
from tercet.rl.serialisation import Parameters


def plan(
    system_parameters: Parameters,
    knowledge: Knowledge,
    platform: Platform,
    state: State,
    goal: Goal,
    seed: int | tuple[int, ...],
    count: int = 2,
    profile: Profile | None = None,
    member: int = 0,
) -> list[Experience]:
    """Up to `count` planned experiences from a state, tagged with the member; none without rows."""
    rng = np.random.default_rng(seed)
    best = decide(knowledge, platform, state, goal, profile)
    if not best.table.devices:
        return []
    after, planned = predict(system_parameters, state), []
    proposals = [best.assignment]
    proposals += [perturbed(platform, best.assignment, goal, rng) for _ in range(count - 1)]
    for assignment in proposals:
        costs = costs_of(best.table, choice_of(platform, best.table, assignment))
        response = dict(zip(best.table.devices, costs.tolist(), strict=True))
        average = float(np.average(costs, weights=best.table.demand))
        planned.append(Experience(state, assignment, response, average, after, goal, member=member))
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
