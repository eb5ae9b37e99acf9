"""Verb `learn`: any agent on any environment, one line per real step."""

from __future__ import annotations

import argparse
import json
import math
import sys
from importlib import import_module
from typing import Any, cast

from benchmarks.agents import build
from tercet.sim.environment import Environment, missing_members
from tercet.sim.run_loop import EXACT, Step, play


def make_environment(spec: str, **arguments: Any) -> Environment:
    """Import `package.module:factory` and call it; ValueError in one line when that fails."""
    module, colon, factory = spec.partition(":")
    if not colon or not module or not factory:
        raise ValueError(f"--env must be package.module:factory, not {spec!r}")
    if "" not in sys.path:
        sys.path.insert(0, "")  # A factory in the working directory, as with `python -m`.
    try:
        environment = getattr(import_module(module), factory)(**arguments)
    except (ImportError, AttributeError, TypeError) as error:
        raise ValueError(f"cannot make an environment from {spec!r}: {error}") from error
    if missing := missing_members(environment):
        raise ValueError(f"{spec!r} made something without {missing}")
    return cast(Environment, environment)


def run(options: argparse.Namespace) -> None:
    """Print a line after every real step; with several seeds, one run after the other."""
    named = {"scenario": options.scenario, "users": options.users}
    arguments = {k: v for k, v in named.items() if v is not None}
    for seed in range(options.seed, options.seed + options.seeds):
        world = make_environment(options.env, **arguments)
        agent = build(options.agent, world.platform, seed)
        for step in play(world, agent, options.goal, options.steps, seed, options.feedback):
            print(json_line(step, seed) if options.json else text_line(step), flush=True)


def json_line(step: Step, seed: int) -> str:
    """One step as a line of JSON; an infinite regret (goal missed) is null."""
    finite = math.isfinite(step.regret)
    return json.dumps(
        {
            "step": step.step,
            "regret": step.regret if finite else None,
            "exact": step.regret < EXACT,
            "accuracy_pct": step.accuracy_pct,
            "response_ms": step.response_ms,
            "seed": seed,
        }
    )


def text_line(step: Step) -> str:
    """One step as text."""
    regret = f"{100 * step.regret:7.2f} %" if math.isfinite(step.regret) else "goal missed"
    return (
        f"step {step.step:5d}   greedy regret {regret}   "
        f"executed {step.response_ms:8.1f} ms at {step.accuracy_pct:.2f} %"
    )
