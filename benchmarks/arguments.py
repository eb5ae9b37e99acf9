"""The command line: verbs, options, and the one-line errors that bad input deserves."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from typing import NoReturn

from benchmarks import onbus, verbs
from benchmarks.agents import NAMES
from benchmarks.lying_world import LIES
from benchmarks.worlds import WORLDS
from tercet.rl.goal import Goal, parse_goal

EXAMPLES = """examples:
  python -m benchmarks table5                                  decisions of the 20 cells
  python -m benchmarks table6 --users 5 --agent hybrid         steps to optimal, resumable
  python -m benchmarks scale --users 5 50                      many devices
  python -m benchmarks learn --env tercet.sim.scenarios:unequal --agent hybrid --steps 200 --goal 85 --json
  python -m benchmarks table6 --json | jq '.[] | [.agent, .median]'

Finished cells are kept in benchmarks/results/cells/ (elsewhere with --keep, nowhere with --fresh) and
not computed again.
"""


def goal(text: str) -> Goal:
    """`min`, `max` or 0..100, else the parser's one-line error."""
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
    """Says what is wrong in one line; `--help` has the rest."""

    def error(self, message: str) -> NoReturn:
        """Exit with status 2."""
        self.exit(2, f"bench: {message}\n")


def parser() -> argparse.ArgumentParser:
    """All verbs."""
    top = Parser(
        prog="python -m benchmarks",
        description="The paper's tables and figures, measured again, and our own beside them.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    found = top.add_subparsers(required=True, metavar="VERB")
    _measured(found, "table5", verbs.table5, "decisions against the paper's, 20 cells", ["hybrid"])
    figure = "convergence curves, PNG and CSV"
    for verb in (
        _measured(found, "table6", verbs.table6, "steps to optimal of every agent", [*NAMES]),
        _measured(found, "table7", verbs.table7, "compute and experience minutes", [*NAMES]),
        _measured(found, "figure3", verbs.figure3, figure, [*NAMES]),
    ):
        verb.add_argument("--users", type=count, nargs="+", default=[3, 4, 5])
        verb.add_argument("--cap", type=factor, default=2.0, help="times the paper's steps")
    _measured(found, "speedup", verbs.speedup, "model selection with offloading, or alone", [])
    _measured(found, "ablation", verbs.ablation, "hybrid without each of its parts", ["hybrid"])
    strange = _measured(found, "worlds", verbs.worlds, "worlds nothing was tuned on", ["hybrid"])
    strange.add_argument("--world", nargs="+", choices=[*WORLDS])
    _measured(found, "goals", verbs.goals, "the goal changes in mid-run", ["hybrid"])
    scale = _measured(found, "scale", verbs.scale, "many devices", ["hybrid"])
    scale.add_argument("--users", type=count, nargs="+", default=[5, 10, 20, 50, 100])
    _measured(found, "newcomer", verbs.newcomer, "a device joins a running system", ["hybrid"])
    text = "one device of five lies about its response times"
    for verb in (
        _measured(found, "liars", verbs.liars, text, ["hybrid"]),
        _measured(found, "deceit", verbs.deceit, f"{text}, in whole systems", ["hybrid"]),
    ):
        verb.add_argument("--lie", nargs="+", choices=[*LIES], default=[*LIES])
    _measured(found, "drift", verbs.drift, "the world changes at step 300", [*NAMES])
    _measured(found, "tune", verbs.tune, "the same random search for every agent", [*NAMES])
    peers = _measured(found, "peers", verbs.peers, "other people's agents (extra: peers)", [])
    peers.add_argument("--steps", type=count, default=20_000)
    text = "write every kept table to benchmarks/results/ as JSON and Markdown"
    found.add_parser("report", help=text, description=text).set_defaults(verb=verbs.report)
    onbus.add(found, count, factor)
    _learn(found)
    return top


def _measured(
    found: argparse._SubParsersAction[Parser],
    name: str,
    verb: Callable[[argparse.Namespace], None],
    text: str,
    agents: list[str],
) -> argparse.ArgumentParser:
    """A verb with the options that all tables share."""
    made = found.add_parser(name, help=text, description=text)
    made.set_defaults(verb=verb, name=name)
    made.add_argument("--agent", nargs="+", choices=NAMES, default=agents)
    made.add_argument("--goal", type=goal, nargs="+", help="min, max or 0..100")
    made.add_argument("--scenario", nargs="+", choices=["A", "B", "C", "D"])
    made.add_argument("--feedback", nargs="+", choices=["per-device", "mean"])
    made.add_argument("--seeds", type=count, default=5)
    made.add_argument("--jobs", type=count, default=1, help="processes that compute cells")
    made.add_argument("--json", action="store_true", help="JSON on stdout instead of Markdown")
    made.add_argument("--keep", metavar="FILE", help="where finished cells are kept")
    made.add_argument("--fresh", action="store_true", help="keep nothing, compute everything")
    made.add_argument("--known", action="store_true", help="show all that is kept, compute nothing")
    return made


def _learn(found: argparse._SubParsersAction[Parser]) -> None:
    """Any agent on anyone's environment."""
    text = "any agent on anyone's environment, one line per real step"
    made = found.add_parser("learn", help=text, description=text)
    made.set_defaults(verb=verbs.learn)
    made.add_argument(
        "--env", default="tercet.sim.scenarios:paper", metavar="PACKAGE.MODULE:FACTORY"
    )
    made.add_argument("--agent", choices=NAMES, default="hybrid")
    made.add_argument("--steps", type=count, default=200)
    made.add_argument("--seed", type=int, default=0, help="the first seed")
    made.add_argument("--seeds", type=count, default=1, help="runs, one after the other")
    made.add_argument("--goal", type=goal, default="min", help="min, max or 0..100")
    made.add_argument("--feedback", choices=["per-device", "mean"], default="per-device")
    made.add_argument("--scenario", choices=["A", "B", "C", "D"], help="argument of the factory")
    made.add_argument("--users", type=count, help="argument of the factory")
    made.add_argument("--json", action="store_true", help="one JSON object per line")
