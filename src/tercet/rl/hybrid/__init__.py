"""`hybrid`: a model of costs, the solver, exploration, planning; the same in every process.

    model = CostModel()                                    # the learner; its state is in its fields
    model.observe(experience, platform, profile)           # one window
    model.fit()
    policy = PolicyParameters(model.knowledge, planned)    # planned: None, or values for a goal
    data = to_bytes(policy.parameters())                   # published, stored

    policy = PolicyParameters.of(from_bytes(data))         # ValueError when malformed
    decision = decide(policy.knowledge, platform, state, goal, values=policy.values(goal))
    explorer = Explorer(share=0.05)                        # its state outlives new parameters
    explorer.explore(decision.priced.table, decision.priced.problem, decision.solution, rng)

The system model and the values of states are in `tercet.rl.planning`. `Hybrid` is all of it in one
process. What was learned is named by rows, nodes and variants, so it holds for any platform on
which some of them have come or gone. Compute times from capability messages may be passed as
`profile` (node -> variant -> ms); pass the same to all, or to none. `rng` is a numpy Generator that
the caller owns. Nothing here reads a clock or a global.
"""

from tercet.rl.costs.encoding import Profile
from tercet.rl.costs.exploration import Explorer
from tercet.rl.costs.model import CostModel
from tercet.rl.costs.parameters import from_parameters, to_parameters
from tercet.rl.costs.prediction import Knowledge
from tercet.rl.hybrid.agent import Hybrid
from tercet.rl.hybrid.decision import Decision, decide
from tercet.rl.hybrid.policy_parameters import GoalValues, PolicyParameters
from tercet.rl.serialisation import Parameters, from_bytes, to_bytes

__all__ = [
    "CostModel",
    "Decision",
    "Explorer",
    "GoalValues",
    "Hybrid",
    "Knowledge",
    "Parameters",
    "PolicyParameters",
    "Profile",
    "decide",
    "from_bytes",
    "from_parameters",
    "to_bytes",
    "to_parameters",
]
