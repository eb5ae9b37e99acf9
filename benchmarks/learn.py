"""Verb `learn`: as `tercet learn`, with every agent of the benchmarks and several seeds."""

from __future__ import annotations

import argparse

from benchmarks.agents import build
from tercet.cli.learn import json_lines, text_line
from tercet.sim.environment import Environment
from tercet.sim.factories import made
from tercet.sim.run_loop import play


def make_environment(spec: str, **arguments: object) -> Environment:
    """Call the factory `package.module:factory`; ValueError in one line when that fails."""
    try:
        return made(spec, **arguments)
    except ValueError as error:
        raise ValueError(f"cannot make an environment from {spec!r}: {error}") from error


def run(options: argparse.Namespace) -> None:
    """Print a line after every real step; with several seeds, one run after the other."""
    named = {"scenario": options.scenario, "users": options.users}
    arguments = {k: v for k, v in named.items() if v is not None}
    for seed in range(options.seed, options.seed + options.seeds):
        world = make_environment(options.env, **arguments)
        agent = build(options.agent, world.platform, seed)
        steps = play(world, agent, options.goal, options.steps, seed, options.feedback)
        for line in json_lines(steps, seed) if options.json else map(text_line, steps):
            print(line, flush=True)
