"""`tercet learn`: an agent on an environment, both of anyone's, counted in real steps."""

from __future__ import annotations

import json as encoding
import math
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from tercet.cli import input_checks
from tercet.cli.output import clean
from tercet.cli.usage_error import UsageError

if TYPE_CHECKING:
    from tercet.rl.agent import Agent
    from tercet.rl.platform import Platform
    from tercet.sim.run_loop import Step

EPILOG = (
    "Examples: [bold]tercet learn --steps 200[/]. "
    "[bold]tercet learn --env tercet.sim.stationary:contrarian --goal 85 --json[/]. "
    "[bold]tercet learn --env my_world:make --agent my_agent:Mine --feedback mean[/]; "
    "a factory of an environment takes no argument, one of an agent a platform and a seed."
)

Made = TypeVar("Made")

AGENTS = ("hybrid", "hybrid-paper", "hybrid-paper-real", "random")
"""Agents by name: ours; the paper's Algorithm 1, line 30 read in both ways; random search."""


def learn(
    env: Annotated[
        str,
        typer.Option(metavar="NAME", help="paper-A..paper-D, or package.module:factory."),
    ] = "paper-A",
    agent: Annotated[
        str, typer.Option(metavar="NAME", help=f"{', '.join(AGENTS)}, or package.module:factory.")
    ] = "hybrid",
    steps: Annotated[int, typer.Option(min=1, help="Real steps (windows).")] = 200,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the agent and of the noise.")] = 0,
    goal: Annotated[
        str, typer.Option(help="Least average accuracy: min, max, or percent 0..100.")
    ] = "85",
    feedback: Annotated[
        str,
        typer.Option(help="What the agent is shown: parts, totals (per device), or the mean."),
    ] = "totals",
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object per step on stdout.")
    ] = False,
) -> None:
    """Run any agent on any environment, and print its regret after every step."""
    from tercet.sim.factories import environment
    from tercet.sim.run_loop import FEEDBACKS, play

    wanted = input_checks.goal(goal)
    shown = next((known for known in FEEDBACKS if known == feedback), None)
    if shown is None:
        raise UsageError(f"--feedback must be one of {', '.join(FEEDBACKS)}, not {feedback!r}")
    world = named("--env", env, lambda: environment(env))
    input_checks.reachable(wanted, world.platform.accuracy)
    chosen = named("--agent", agent, lambda: build(agent, world.platform, seed))
    run = stepwise(env, play(world, chosen, wanted, steps, seed, shown))
    if as_json:
        for line in json_lines(run, seed):
            print(line, flush=True)
    else:
        report(run, steps)


def named(option: str, spec: str, make: Callable[[], Made]) -> Made:
    """Call `make`; its ValueError becomes a UsageError that names the option."""
    try:
        return make()
    except ValueError as error:
        raise UsageError(f"{option} {clean(spec)}: {clean(error)}") from error


def build(name: str, platform: Platform, seed: int) -> Agent:
    """An agent by name, or what a factory makes of a platform and a seed; ValueError if neither."""
    from tercet.sim.factories import call

    if ":" in name:
        made: Any = call(name, platform, seed)
        lacking = [part for part in ("act", "greedy", "observe") if not hasattr(made, part)]
        if lacking:
            raise ValueError(f"it made something without {', '.join(lacking)}")
        agent: Agent = made
        return agent
    if name not in AGENTS:
        raise ValueError(f"expected {', '.join(AGENTS)}, or package.module:factory")
    if name == "random":
        from tercet.rl.random_agent import RandomSearch

        return RandomSearch(platform, seed)
    if name == "hybrid":
        from tercet.rl.hybrid import Hybrid

        return Hybrid(platform, seed)
    input_checks.paper_extra("--agent")
    from tercet.rl.paper.agent import HybridPaper
    from tercet.rl.paper.settings import HybridPaperSettings

    real = name.endswith("-real")
    settings = HybridPaperSettings.with_real_plans() if real else HybridPaperSettings()
    return HybridPaper(platform, seed, settings)


def stepwise(env: str, steps: Iterable[Step]) -> Iterable[Step]:
    """The same steps; an impossible answer of the environment becomes a UsageError."""
    number = 0
    try:
        for step in steps:
            number = step.step
            yield step
    except ValueError as error:
        raise UsageError(f"{clean(env)}, step {number + 1}: {clean(error)}") from error


def json_lines(steps: Iterable[Step], seed: int) -> Iterator[str]:
    """Every step as a line of JSON; a regret is null where the goal is missed.

    `cumulative_regret` is the executed regret so far, in optimal steps; a step that misses the goal
    counts its extra cost, at least 0, and one optimal step more.
    """
    from tercet.sim.run_loop import EXACT

    total = 0.0
    for step in steps:
        total += step.executed_charge
        found = {
            "step": step.step,
            "regret": step.regret if math.isfinite(step.regret) else None,
            "exact": step.regret < EXACT,
            "accuracy_pct": step.accuracy_pct,
            "response_ms": step.response_ms,
            "executed_regret": step.executed_regret
            if math.isfinite(step.executed_regret)
            else None,
            "cumulative_regret": total,
            "seed": seed,
        }
        yield encoding.dumps(found)


def report(steps: Iterable[Step], total: int) -> None:
    """Progress on stderr, about twenty lines of it; at the end a summary on stdout."""
    from tercet.sim.run_loop import Convergence

    convergence, every = Convergence(), max(1, total // 20)
    for step in steps:
        convergence.add(step)
        if step.step % every == 0 or step.step == total:
            print(text_line(step), file=sys.stderr, flush=True)
    found = convergence.regrets()
    optimal = "never" if convergence.steps is None else str(convergence.steps)
    print(f"steps to optimal (within 1 %): {optimal}")
    print(f"cumulative regret, first 50 steps: {found['cumulative_50']:.2f} optimal steps")
    print(f"executed regret, last 50 steps: {found['executed_last_50']:.2%}")
    print(f"greedy regret, last 50 steps: {found['greedy_last_50']:.2%}")
    print(f"steps that missed the goal: {found['goal_misses']}")


def text_line(step: Step) -> str:
    """One step as text."""
    regret = f"{step.regret:8.2%}" if math.isfinite(step.regret) else "goal missed"
    return (
        f"step {step.step:5d}   greedy regret {regret}   "
        f"executed {step.response_ms:8.1f} ms at {step.accuracy_pct:.2f} %"
    )
