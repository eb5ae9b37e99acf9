"""`hybrid`: a model of costs, the solver, exploration, planning; the same in every process.

    model = CostModel()                                    # the learner; its state is in its fields
    model.observe(experience, platform, profile)           # one window
    model.fit()
    parameters = to_parameters(model.knowledge)            # dict of arrays
    data = to_bytes(parameters)                            # published, stored

    knowledge = from_parameters(from_bytes(data))          # ValueError when malformed
    decision = decide(knowledge, platform, state, goal)    # greedy
    explorer = Explorer(share=0.05)                        # its state outlives new parameters
    solution = explorer.explore(decision.table, decision.problem, decision.solution, rng)

    member = SystemModel(seed, slot)                       # one member; others elsewhere
    member.observe(experience)
    plan(member.parameters(), knowledge, platform, state, goal, seed)

`Hybrid` is all of it but planning in one process. What was learned is named by rows, nodes and
variants, so it holds for any platform on which some of them have come or gone. Compute times from
capability messages may be passed as `profile` (node -> variant -> ms); pass the same to all, or to
none. `rng` is a numpy Generator that the caller owns. Nothing here reads a clock or a global.
"""

from tercet.rl.costs.encoding import Profile
from tercet.rl.costs.exploration import Explorer
from tercet.rl.costs.model import CostModel
from tercet.rl.costs.parameters import from_parameters, to_parameters
from tercet.rl.costs.prediction import Knowledge
from tercet.rl.hybrid.agent import Hybrid
from tercet.rl.hybrid.decision import Decision, decide
from tercet.rl.hybrid.planning import plan
from tercet.rl.hybrid.system_model import SystemModel
from tercet.rl.serialisation import Parameters, from_bytes, to_bytes

__all__ = [
    "CostModel",
    "Decision",
    "Explorer",
    "Hybrid",
    "Knowledge",
    "Parameters",
    "Profile",
    "SystemModel",
    "decide",
    "from_bytes",
    "from_parameters",
    "plan",
    "to_bytes",
    "to_parameters",
]
