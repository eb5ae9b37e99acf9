"""The command line: verbs, options, and one-line errors for bad input."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from typing import NoReturn

from benchmarks import live_window, solver_scale, system_verbs, verbs
from benchmarks.agents import NAMES, WITH_SOLVER
from benchmarks.algorithm1 import VARIANTS
from benchmarks.lying_world import LIES
from benchmarks.planning_worlds import WORLDS as PLANNING_WORLDS
from benchmarks.worlds import WORLDS
from tercet.rl.goal import Goal, parse_goal
from tercet.sim.run_loop import FEEDBACKS

EXAMPLES = """examples:
  python -m benchmarks table5                             decisions of the 20 cells
  python -m benchmarks table6 --users 5 --agent hybrid    steps to optimal, resumable
  python -m benchmarks regret --seeds 20 --compare hybrid what learning costs, side by side
  python -m benchmarks scale --users 5 50                 many devices
  python -m benchmarks learn --env tercet.sim.scenarios:unequal --steps 200 --goal 85 --json
  python -m benchmarks table6 --json | jq '.[] | [.agent, .median]'
  python -m benchmarks chaos --minutes 5 --seed 1         faults on a running system

Run them from the root of the source tree. Finished cells are kept in benchmarks/results/cells/
(elsewhere with --keep, nowhere with --fresh) and are not computed again. benchmarks/README.md
maps each verb to its table or figure.
"""


def goal(text: str) -> Goal:
    """Parse `min`, `max` or 0..100; raises the parser's one-line error."""
    try:
        return parse_goal(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def count(text: str) -> int:
    """A whole number of at least one."""
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number from 1 on, not {text!r}")
    return int(text)


def factor(text: str) -> float:
    """A number above zero."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"must be a number above 0, not {text!r}")
    return value


class Parser(argparse.ArgumentParser):
    """Prints one line for an error, without the usage text."""

    def error(self, message: str) -> NoReturn:
        """Print the message and exit with status 2."""
        self.exit(2, f"benchmarks: {message}\n")


def parser() -> argparse.ArgumentParser:
    """The parser with all verbs."""
    top = Parser(
        prog="python -m benchmarks",
        description="The paper's tables and figures, and measurements of the running system.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    subparsers = top.add_subparsers(required=True, metavar="VERB")
    _measured(
        subparsers, "table5", verbs.table5, "decisions against the paper's, 20 cells", ["hybrid"]
    )
    figure = "convergence curves, PNG and CSV"
    for verb in (
        _measured(subparsers, "table6", verbs.table6, "steps to optimal of every agent", [*NAMES]),
        _measured(subparsers, "table7", verbs.table7, "compute and experience minutes", [*NAMES]),
        _measured(subparsers, "figure3", verbs.figure3, figure, [*NAMES]),
    ):
        verb.add_argument("--users", type=count, nargs="+", default=[3, 4, 5])
        verb.add_argument("--cap", type=factor, default=2.0, help="times the paper's steps")
    _measured(subparsers, "speedup", verbs.speedup, "model selection with offloading, or alone", [])
    _measured(
        subparsers, "ablation", verbs.ablation, "hybrid without each of its parts", ["hybrid"]
    )
    text = "readings and constants of the paper's Algorithm 1, one by one"
    paper = _measured(subparsers, "algorithm1", verbs.algorithm1, text, [])
    paper.add_argument("--users", type=count, nargs="+", default=[5])
    paper.add_argument("--variant", nargs="+", choices=[*VARIANTS], default=[*VARIANTS])
    untuned = _measured(
        subparsers, "worlds", verbs.worlds, "worlds that no agent was tuned on", [*WITH_SOLVER]
    )
    untuned.add_argument("--world", nargs="+", choices=[*WORLDS])
    regret = _measured(
        subparsers, "regret", verbs.regret, "regret while learning, agents side by side",
        [*WITH_SOLVER],
    )  # fmt: skip
    regret.add_argument("--world", nargs="+", metavar="NAME", help="or package.module:factory")
    regret.add_argument("--windows", type=count, default=200, help="real steps of a run")
    text = "this agent's cumulative regret over each other's, with intervals"
    regret.add_argument("--compare", metavar="AGENT", choices=NAMES, help=text)
    text = "a learned planner where the state depends on what is assigned"
    planned = _measured(subparsers, "planning-worlds", verbs.planning_worlds, text, ["hybrid"])
    planned.add_argument("--worlds", nargs="+", choices=[*PLANNING_WORLDS])
    planned.add_argument("--draws", type=count, default=10, help="that count, per world")
    _measured(subparsers, "goals", verbs.goals, "the goal changes during a run", [*WITH_SOLVER])
    scale = _measured(subparsers, "scale", verbs.scale, "many devices", [*WITH_SOLVER])
    scale.add_argument("--users", type=count, nargs="+", default=[5, 10, 20, 50, 100])
    _measured(subparsers, "newcomer", verbs.newcomer, "a device joins a running system", ["hybrid"])
    text = "one device of five reports false response times"
    for verb in (
        _measured(subparsers, "liars", verbs.liars, text, ["hybrid"]),
        _measured(subparsers, "deceit", verbs.deceit, f"{text}, in whole systems", ["hybrid"]),
    ):
        verb.add_argument("--lie", nargs="+", choices=[*LIES], default=[*LIES])
    _measured(subparsers, "drift", verbs.drift, "the world changes at step 300", [*NAMES])
    _measured(subparsers, "tune", verbs.tune, "the same random search for every agent", [*NAMES])
    peers = _measured(
        subparsers, "peers", verbs.peers, "agents of other projects (extra: peers)", []
    )
    peers.add_argument("--steps", type=count, default=20_000)
    text = "write every kept table to benchmarks/results/ as JSON and Markdown"
    subparsers.add_parser("report", help=text, description=text).set_defaults(verb=verbs.report)
    system_verbs.add(subparsers, count, factor)
    _learn(subparsers)
    _solver_scale(subparsers)
    _live_window(subparsers)
    return top


def _solver_scale(subparsers: argparse._SubParsersAction[Parser]) -> None:
    """Add the verb that measures the solver alone."""
    text = "time and gap of the solver on random fleets"
    command = subparsers.add_parser("solver-scale", help=text, description=text)
    command.set_defaults(verb=solver_scale.run)
    command.add_argument("--devices", type=count, nargs="+", default=[50, 200, 1000])
    command.add_argument("--edges", type=count, nargs="+", default=[4, 20])
    command.add_argument("--seeds", type=count, default=3)
    command.add_argument("--json", action="store_true", help="JSON on stdout instead of Markdown")


def _live_window(subparsers: argparse._SubParsersAction[Parser]) -> None:
    """Add the verb that measures what one window costs."""
    text = "CPU of a window: explore, greedy, check, learn"
    command = subparsers.add_parser("live-window", help=text, description=text)
    command.set_defaults(verb=live_window.run)
    command.add_argument("--devices", type=count, nargs="+", default=[*live_window.EDGES])
    command.add_argument("--windows", type=count, default=60, help="windows that are measured")
    command.add_argument("--json", action="store_true", help="JSON on stdout instead of Markdown")


def _measured(
    subparsers: argparse._SubParsersAction[Parser],
    name: str,
    verb: Callable[[argparse.Namespace], None],
    text: str,
    agents: list[str],
) -> argparse.ArgumentParser:
    """Add a verb with the options that all tables share."""
    command = subparsers.add_parser(name, help=text, description=text)
    command.set_defaults(verb=verb, name=name)
    command.add_argument("--agent", nargs="+", choices=NAMES, default=agents)
    command.add_argument("--goal", type=goal, nargs="+", help="min, max or 0..100")
    command.add_argument("--scenario", nargs="+", choices=["A", "B", "C", "D"])
    command.add_argument("--feedback", nargs="+", choices=FEEDBACKS)
    command.add_argument("--seeds", type=count, default=5)
    command.add_argument("--jobs", type=count, default=1, help="processes that compute cells")
    command.add_argument("--json", action="store_true", help="JSON on stdout instead of Markdown")
    command.add_argument("--keep", metavar="FILE", help="where finished cells are kept")
    command.add_argument("--fresh", action="store_true", help="compute everything, keep nothing")
    command.add_argument(
        "--known", action="store_true", help="show all kept cells, compute nothing"
    )
    return command


def _learn(subparsers: argparse._SubParsersAction[Parser]) -> None:
    """Add the verb `learn`."""
    text = "any agent on any environment, one line per real step"
    command = subparsers.add_parser("learn", help=text, description=text)
    command.set_defaults(verb=verbs.learn)
    command.add_argument(
        "--env", default="tercet.sim.scenarios:paper", metavar="PACKAGE.MODULE:FACTORY"
    )
    command.add_argument("--agent", choices=NAMES, default="hybrid")
    command.add_argument("--steps", type=count, default=200)
    command.add_argument("--seed", type=int, default=0, help="the first seed")
    command.add_argument("--seeds", type=count, default=1, help="runs, one after the other")
    command.add_argument("--goal", type=goal, default="min", help="min, max or 0..100")
    command.add_argument("--feedback", choices=FEEDBACKS, default="totals")
    command.add_argument("--scenario", choices=["A", "B", "C", "D"], help="argument of the factory")
    command.add_argument("--users", type=count, help="argument of the factory")
    command.add_argument("--json", action="store_true", help="one JSON object per line")
