"""The verbs that compute tables: choose the cells, compute what is missing, print them."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import learn as learn_verb
from benchmarks import table6 as steps_table
from benchmarks.result_store import RESULTS, Cell, ResultStore

Options = argparse.Namespace
Row = dict[str, Any]


def table6(options: Options) -> None:
    """Steps to optimal."""
    show(options, _steps(options), steps_table.render)


def _steps(options: Options) -> list[Row]:
    return steps_table.gather(fill(options, _step_cells(options), "table6"))


def _step_cells(options: Options) -> list[Cell]:
    return steps_table.cells(
        options.agent,
        options.users,
        options.goal or list(steps_table.GOALS),
        options.scenario or ["A"],
        options.feedback or ["totals", "mean"],
        options.seeds,
        options.cap,
    )


def table5(options: Options) -> None:
    """Decisions of the 20 cells."""
    from benchmarks import table5 as module

    cells = module.cells(options.agent, options.scenario or list("ABCD"), options.goal)
    show(options, module.gather(fill(options, cells)), module.render)


def table7(options: Options) -> None:
    """Minutes; the cells are those of table6."""
    from benchmarks import table7 as module

    show(options, module.minutes(_steps(options)), module.render)


def figure3(options: Options) -> None:
    """Curves; the cells are those of table6.

    figure3.png and figure3.csv are written beside the kept cells: to benchmarks/results, to the
    folder of `--keep`, or with `--fresh` to the working directory.
    """
    from benchmarks import figure3 as module

    runs = fill(options, module.cells(_step_cells(options)), "table6")
    kept = Path(options.keep).parent if options.keep else RESULTS
    folder = Path.cwd() if options.fresh else kept
    show(options, module.draw([run for run in runs if "curve" in run], folder), module.render)


def speedup(options: Options) -> None:
    """Model selection with offloading against offloading alone."""
    from benchmarks import speedup as module

    cells = module.cells(options.scenario or list("ABCD"), options.goal)
    show(options, fill(options, cells), module.render)


def ablation(options: Options) -> None:
    """What each part contributes."""
    from benchmarks import ablation as module

    cells = module.cells(options.goal or [85.0], options.feedback or ["totals"], options.seeds)
    show(options, module.gather(fill(options, cells)), module.render)


def algorithm1(options: Options) -> None:
    """What in the paper's Algorithm 1 decides whether it converges."""
    from benchmarks import algorithm1 as module

    goals = options.goal or [80.0, 85.0]
    cells = module.cells(options.users, goals, options.seeds, options.variant)
    show(options, module.gather(fill(options, cells)), module.render)


def worlds(options: Options) -> None:
    """Worlds that no agent was tuned on."""
    from benchmarks import worlds as module

    goals = options.goal or list(steps_table.GOALS)
    names = options.world or list(module.WORLDS)
    feedbacks = options.feedback or ["totals"]
    cells = module.cells(names, options.agent, goals, feedbacks, options.seeds)
    show(options, module.gather(fill(options, cells)), module.render)


def planning_worlds(options: Options) -> None:
    """Worlds whose state depends on what is assigned."""
    from benchmarks import planning_worlds as module

    if options.known:
        raise ValueError("planning-worlds has no --known; run it again, kept draws cost nothing")
    names = options.worlds or list(module.WORLDS)
    goal = (options.goal or ["min"])[0]
    rows = module.rows(names, goal, options.draws, partial(fill, options))
    show(options, rows, module.render)


def goals(options: Options) -> None:
    """The goal changes during a run."""
    from benchmarks import goals as module

    feedbacks = options.feedback or ["totals", "mean"]
    cells = module.cells(options.scenario or ["A"], options.agent, feedbacks, options.seeds)
    show(options, module.gather(fill(options, cells)), module.render)


def scale(options: Options) -> None:
    """Up to a hundred devices."""
    from benchmarks import scale as module

    cells = module.cells(
        options.agent,
        options.users,
        options.scenario or ["A"],
        options.goal or [85.0],
        options.feedback or ["totals"],
        options.seeds,
    )
    show(options, module.gather(fill(options, cells)), module.render)


def regret(options: Options) -> None:
    """Cumulative, executed and greedy regret; with `--compare`, one agent against each other."""
    from benchmarks import comparison
    from benchmarks import regret as module
    from benchmarks.world_registry import DEFAULT

    cells = module.cells(
        options.world or DEFAULT,
        options.agent,
        options.goal or [85.0],
        options.feedback or ["totals"],
        options.seeds,
        options.windows,
    )
    rows = fill(options, cells)
    if options.compare:
        show(options, comparison.compare(rows, options.compare), comparison.render)
    else:
        show(options, rows, module.render)


def newcomer(options: Options) -> None:
    """A device joins a running system."""
    from benchmarks import newcomer as module

    cells = module.cells(options.goal or [85.0], options.seeds)
    show(options, module.gather(fill(options, cells)), module.render)


def liars(options: Options) -> None:
    """One device of five reports false times, in one process."""
    from benchmarks import liars as module

    cells = module.cells(options.lie, options.seeds)
    show(options, module.gather(fill(options, cells)), module.render)


def deceit(options: Options) -> None:
    """One device of five reports false times, in whole systems."""
    from benchmarks import deceit as module

    cells = module.cells(options.lie, options.seeds)
    show(options, module.gather(fill(options, cells)), module.render)


def drift(options: Options) -> None:
    """The world changes at step 300."""
    from benchmarks import drift as module

    cells = module.cells(options.agent, options.goal or [85.0], options.feedback, options.seeds)
    show(options, module.gather(fill(options, cells)), module.render)


def tune(options: Options) -> None:
    """Random search; `--seeds` is not used, the budget is fixed."""
    from benchmarks import tune as module

    searched = fill(options, module.cells(options.agent))
    rows = searched if options.known else searched + fill(options, module.finals(searched))
    show(options, rows, module.render)


def peers(options: Options) -> None:
    """Agents of other projects."""
    from benchmarks import peers as module

    cells = module.cells(options.goal or [85.0], options.steps, min(options.seeds, 3))
    show(options, module.gather(fill(options, cells)), module.render)


def learn(options: Options) -> None:
    """One line per real step, on any environment."""
    learn_verb.run(options)


def report(options: Options) -> None:
    """Write all kept tables; compute nothing."""
    from benchmarks import report as module
    from benchmarks import targets
    from benchmarks.arguments import parser

    print(" ".join(module.write(RESULTS, parser().parse_args)))
    targets.write(RESULTS)


def fill(options: Options, cells: Sequence[Cell], name: str | None = None) -> list[Row]:
    """Compute the missing cells, or with `--known` return all kept cells."""
    default = RESULTS / "cells" / f"{name or options.name}.jsonl"
    path = None if options.fresh else Path(options.keep) if options.keep else default
    store = ResultStore(path, jobs=options.jobs)
    if options.known and not store.known:
        raise ValueError(f"nothing is kept for {options.name} yet; run it without --known")
    return store.everything() if options.known else store.fill(cells)


def show(options: Options, rows: Any, render: Callable[[Any], str]) -> None:
    """Print JSON with `--json`, else Markdown."""
    print(json.dumps(rows, indent=1) if options.json else render(rows))
