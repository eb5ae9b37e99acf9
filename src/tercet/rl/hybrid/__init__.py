"""`hybrid`: load-factored values, an ensemble, planning; the same functions in every process.

Three learners that may live apart, and one function on the decision path:

    settings = HybridSettings()                        # frozen; every default documented
    policy = DirectLearner.born(platform, settings, rng)             # one process
    model = ModelLearner.born(platform, settings, (0, 1, 2), rng)    # members 0-2; others elsewhere

    policy.observe(experience)      # real (member None) and planned (member m -> head m only)
    parameters = policy.learn(alpha=0.3)               # dict[str, NDArray], M = settings.members
    model.observe(experience)       # real only
    models = model.learn()                             # dict[str, NDArray], M = len(slots)

    everyone = stack([models, models_of_others])       # members in slot order
    for experience in plan(everyone, platform, state, goal, count=2, rng=rng): ...

    data = to_bytes(parameters); parameters = from_bytes(data)       # ValueError when malformed

    decision, account = explore(parameters, platform, state, goal, settings, rng, account)
    decision = decide(parameters, platform, state, goal)             # greedy: mean of the heads

`account` is None, or a `RegretAccount(share=0.05)` that bounds what exploration may cost; keep the
one that comes back. `observe` is cheap and `learn` costs a few milliseconds for five devices; call
it once per round or less often. Parameters name their columns, so a decider may use them for a
platform on which devices have since joined or left; a learner is told with `move(platform)`. Labels
that surprise count less; the same device surprising three times in a row makes a learner forget
most of what it knew, for then the world has changed. Local compute times
from capability messages may be passed as `profile` (device -> variant -> ms) to the learners'
`born` and to `decide` and `plan`; pass the same to all, or to none.

`rng` is a numpy Generator; the caller owns it. Nothing here reads a clock or a global.
"""

from tercet.rl.hybrid.agent import Hybrid
from tercet.rl.hybrid.decision import Decision, decide
from tercet.rl.hybrid.direct import DirectLearner
from tercet.rl.hybrid.exploration import RegretAccount, explore, explore_head
from tercet.rl.hybrid.planning import plan
from tercet.rl.hybrid.settings import HybridSettings
from tercet.rl.hybrid.system_model import Drift, ModelLearner
from tercet.rl.network import Parameters, from_bytes, stack, to_bytes

__all__ = [
    "Decision",
    "DirectLearner",
    "Drift",
    "Hybrid",
    "HybridSettings",
    "ModelLearner",
    "Parameters",
    "RegretAccount",
    "decide",
    "explore",
    "explore_head",
    "from_bytes",
    "plan",
    "stack",
    "to_bytes",
]
