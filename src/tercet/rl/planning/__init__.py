"""Planning: what a state is worth where assignments change it, learned from experience.

    system = SystemModel(); system.observe(experience, platform)      # real experience
    planned = plan(system.parameters(), knowledge, platform, state, goal, seed, values)
    values = planned.values                                           # None: nothing to plan
    found = priced(table, state, platform, goal, values)              # for the solver: problem.py

A condition of a node (backlog, temperature, link, ..) is planned for only if evidence shows both
that assignments move it and that costs depend on it (`relevance.py`). Then it has a value on a grid
(`node_value.py`), by policy iteration on the model of its transitions and on what the rest of the
system pays for each load of the node (`opportunity.py`). Elsewhere there is no value, and decisions
are those of a system without planning.
"""

from tercet.rl.planning.planner import Plan, plan
from tercet.rl.planning.system_model import SystemModel
from tercet.rl.planning.values import StateCosts, Values

__all__ = ["Plan", "StateCosts", "SystemModel", "Values", "plan"]
