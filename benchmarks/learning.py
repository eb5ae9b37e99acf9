"""`bench learn`: any agent on anyone's environment, one line per real step."""

from __future__ import annotations

import argparse
import json
import math
import sys
from importlib import import_module
from typing import Any, cast

from benchmarks.agents import build
from benchmarks.trial import EXACT, Step, play
from tercet.sim.environment import Environment, lacking


def environment(spec: str, **arguments: Any) -> Environment:
    """Import `package.module:factory` and call it; ValueError in one line when that fails."""
    module, colon, factory = spec.partition(":")
    if not colon or not module or not factory:
        raise ValueError(f"--env must be package.module:factory, not {spec!r}")
    if "" not in sys.path:
        sys.path.insert(0, "")  # a factory beside you, as with `python -m`
    try:
        made = getattr(import_module(module), factory)(**arguments)
    except (ImportError, AttributeError, TypeError) as error:
        raise ValueError(f"cannot make an environment from {spec!r}: {error}") from error
    if missing := lacking(made):
        raise ValueError(f"{spec!r} made something without {missing}")
    return cast(Environment, made)


def run(given: argparse.Namespace) -> None:
    """Print a line after every real step; with several seeds, one run after the other."""
    named = {"scenario": given.scenario, "users": given.users}
    arguments = {k: v for k, v in named.items() if v is not None}
    mean_only = given.feedback == "mean" or given.agent != "hybrid"
    for seed in range(given.seed, given.seed + given.seeds):
        world = environment(given.env, **arguments)
        agent = build(given.agent, world.platform, seed)
        for step in play(world, agent, given.goal, given.steps, seed, mean_only):
            print(line(step, seed) if given.json else sentence(step), flush=True)


def line(step: Step, seed: int) -> str:
    """The stable JSON of one step; an infinite regret (goal missed) is null."""
    known = math.isfinite(step.regret)
    return json.dumps(
        {
            "step": step.step,
            "regret": step.regret if known else None,
            "exact": step.regret < EXACT,
            "accuracy_pct": step.accuracy_pct,
            "response_ms": step.response_ms,
            "seed": seed,
        }
    )


def sentence(step: Step) -> str:
    """The same for people."""
    regret = f"{100 * step.regret:7.2f} %" if math.isfinite(step.regret) else "goal missed"
    return (
        f"step {step.step:5d}   greedy regret {regret}   "
        f"executed {step.response_ms:8.1f} ms at {step.accuracy_pct:.2f} %"
    )
