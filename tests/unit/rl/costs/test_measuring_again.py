"""A shared node that was slow when it was tried is tried again; what is not allowed never is."""

from __future__ import annotations

from dataclasses import replace

from tercet.rl.costs.trials import Trials
from tercet.rl.hybrid import Hybrid
from tercet.sim.moving import wandering
from tercet.sim.run_loop import play

WINDOWS = 120


def played(seed: int) -> tuple[Hybrid, list[int]]:
    """The agent after some windows, and those in which something ran in the cloud."""
    world = wandering(seed=seed)
    agent, used = Hybrid(world.platform, seed), []
    act = agent.act

    def watched(state, goal):  # type: ignore[no-untyped-def]
        executed = act(state, goal)
        if any(option.tier == "C" for option in executed.values()):
            used.append(agent.costs.windows)
        return executed

    agent.act = watched  # type: ignore[method-assign]
    for _ in play(world, agent, "min", WINDOWS, seed, "totals"):
        pass
    return agent, used


def test_a_slow_node_is_measured_again() -> None:
    _, used = played(6)
    assert any(window > WINDOWS // 4 for window in used)


def test_what_is_not_allowed_has_no_value() -> None:
    agent, _ = played(4)
    now = agent._latest
    assert now is not None
    table, problem = now.table, now.problem
    allowed = problem.allowed & (table.node != table.nodes.index("cloud"))
    limited = replace(problem, allowed=allowed)
    surcharge = 0.0 * table.variance[:, :, 0]
    free = Trials.of(table, problem, now.solution, surcharge, WINDOWS)
    bound = Trials.of(table, limited, now.solution, surcharge, WINDOWS)
    assert free.doubted(table, problem).any()
    assert not bound.doubted(table, limited)[~allowed].any() and not bound.value[~allowed].any()
