"""`hybrid`: load-factored values, an ensemble, planning; the same functions in every process.

Two models that may live in different processes, a planner, and one function on the decision path:

    settings = HybridSettings()                        # frozen; every default documented
    policy = PolicyEstimator.create(platform, settings, rng)         # one process
    model = SystemModel.create(platform, settings, (0, 1, 2), rng)   # members 0-2; others elsewhere

    policy.observe(experience)      # real (member None) and planned (member m -> head m only)
    parameters = policy.fit(alpha=0.3)                 # dict[str, NDArray], M = settings.members
    model.observe(experience)       # real only
    models = model.fit()                               # dict[str, NDArray], M = len(slots)

    all_members = stack([models, models_of_others])    # members in slot order
    for experience in plan(all_members, platform, state, goal, count=2, rng=rng): ...

    data = to_bytes(parameters); parameters = from_bytes(data)       # ValueError when malformed

    decision, budget = explore(parameters, platform, state, goal, settings, rng, budget)
    decision = decide(parameters, platform, state, goal)             # greedy: mean of the heads

`budget` is None, or a `ExplorationBudget(share=0.05)` that bounds the cost of exploration; pass the
returned one to the next call. `observe` is cheap, and `fit` takes a few milliseconds for five
devices; call it once per round or less often. Parameters name their columns, so they can be used
for a platform on which devices have since joined or left; a model is adapted with
`change_platform(platform)`. Labels with a large error count less. Three consecutive large errors of
one device discount all old labels, for then the world has changed. Compute times from capability
messages may be passed as `profile` (node -> variant -> ms) to `create`, `decide` and `plan`; pass
the same to all, or to none.

`rng` is a numpy Generator that the caller owns. Nothing here reads a clock or a global.
"""

from tercet.rl.hybrid.agent import Hybrid
from tercet.rl.hybrid.decision import Decision, decide
from tercet.rl.hybrid.exploration import ExplorationBudget, explore, explore_head
from tercet.rl.hybrid.planning import plan
from tercet.rl.hybrid.policy_estimator import PolicyEstimator
from tercet.rl.hybrid.settings import HybridSettings
from tercet.rl.hybrid.system_model import StatePredictor, SystemModel
from tercet.rl.network import Parameters, from_bytes, stack, to_bytes

__all__ = [
    "Decision",
    "ExplorationBudget",
    "Hybrid",
    "HybridSettings",
    "Parameters",
    "PolicyEstimator",
    "StatePredictor",
    "SystemModel",
    "decide",
    "explore",
    "explore_head",
    "from_bytes",
    "plan",
    "stack",
    "to_bytes",
]
