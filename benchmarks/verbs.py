"""What each verb does with its arguments: choose cells, fill them, print them."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import learning
from benchmarks import table6 as steps_table
from benchmarks.result_store import RESULTS, Cell, Store

Given = argparse.Namespace
Row = dict[str, Any]


def table6(given: Given) -> None:
    """Steps to optimal."""
    show(given, _steps(given), steps_table.render)


def _steps(given: Given) -> list[Row]:
    return steps_table.gather(fill(given, _counted(given), "table6"))


def _counted(given: Given) -> list[Cell]:
    return steps_table.cells(
        given.agent,
        given.users,
        given.goal or list(steps_table.GOALS),
        given.scenario or ["A"],
        given.feedback or ["per-device", "mean"],
        given.seeds,
        given.cap,
    )


def table5(given: Given) -> None:
    """Decisions of the 20 cells."""
    from benchmarks import table5 as module

    cells = module.cells(given.agent, given.scenario or list("ABCD"), given.goal)
    show(given, module.gather(fill(given, cells)), module.render)


def table7(given: Given) -> None:
    """Minutes; the cells are those of table6."""
    from benchmarks import table7 as module

    show(given, module.minutes(_steps(given)), module.render)


def figure3(given: Given) -> None:
    """Curves; the cells are those of table6."""
    from benchmarks import figure3 as module

    runs = fill(given, module.cells(_counted(given)), "table6")
    show(given, module.draw([run for run in runs if "curve" in run], RESULTS), module.render)


def speedup(given: Given) -> None:
    """The sibling paper's headline."""
    from benchmarks import speedup as module

    cells = module.cells(given.scenario or list("ABCD"), given.goal)
    show(given, fill(given, cells), module.render)


def ablation(given: Given) -> None:
    """What each part contributes."""
    from benchmarks import ablation as module

    goals = given.goal or list(steps_table.GOALS)
    cells = module.cells(goals, given.feedback or ["per-device", "mean"], given.seeds)
    show(given, module.gather(fill(given, cells)), module.render)


def worlds(given: Given) -> None:
    """Worlds nothing was tuned on."""
    from benchmarks import worlds as module

    goals = given.goal or list(steps_table.GOALS)
    names = given.world or list(module.WORLDS)
    cells = module.cells(names, goals, given.feedback or ["per-device"], given.seeds)
    show(given, module.gather(fill(given, cells)), module.render)


def goals(given: Given) -> None:
    """The goal changes."""
    from benchmarks import goals as module

    feedbacks = given.feedback or ["per-device", "mean"]
    cells = module.cells(given.scenario or ["A"], feedbacks, given.seeds)
    show(given, module.gather(fill(given, cells)), module.render)


def scale(given: Given) -> None:
    """Many devices."""
    from benchmarks import scale as module

    cells = module.cells(
        given.agent,
        given.users,
        given.scenario or ["A"],
        given.goal or [85.0],
        given.feedback or ["per-device"],
        given.seeds,
    )
    show(given, module.gather(fill(given, cells)), module.render)


def newcomer(given: Given) -> None:
    """A device joins."""
    from benchmarks import newcomer as module

    cells = module.cells(given.goal or [85.0], given.seeds)
    show(given, module.gather(fill(given, cells)), module.render)


def liars(given: Given) -> None:
    """One of five lies."""
    from benchmarks import liars as module

    cells = module.cells(given.lie, given.seeds)
    show(given, module.gather(fill(given, cells)), module.render)


def deceit(given: Given) -> None:
    """The same in whole systems."""
    from benchmarks import deceit as module

    cells = module.cells(given.lie, given.seeds)
    show(given, module.gather(fill(given, cells)), module.render)


def drift(given: Given) -> None:
    """A world that changes."""
    from benchmarks import drift as module

    cells = module.cells(given.agent, given.goal or [85.0], given.feedback, given.seeds)
    show(given, module.gather(fill(given, cells)), module.render)


def tune(given: Given) -> None:
    """Random search; `--seeds` is not used, the budget is fixed."""
    from benchmarks import tune as module

    searched = fill(given, module.cells(given.agent))
    rows = searched if given.known else searched + fill(given, module.finals(searched))
    show(given, rows, module.render)


def peers(given: Given) -> None:
    """Other people's agents."""
    from benchmarks import peers as module

    cells = module.cells(given.goal or [85.0], given.steps, min(given.seeds, 3))
    show(given, module.gather(fill(given, cells)), module.render)


def learn(given: Given) -> None:
    """One line per real step; the environment is anyone's."""
    learning.run(given)


def report(given: Given) -> None:
    """Write what is kept; nothing is computed."""
    from benchmarks import report as module
    from benchmarks import targets
    from benchmarks.arguments import parser

    print(" ".join(module.write(RESULTS, parser().parse_args)))
    targets.write(RESULTS)


def fill(given: Given, cells: Sequence[Cell], name: str | None = None) -> list[Row]:
    """Compute what is missing, or with `--known` show all that is kept."""
    default = RESULTS / "cells" / f"{name or given.name}.jsonl"
    path = None if given.fresh else Path(given.keep) if given.keep else default
    store = Store(path, jobs=given.jobs)
    if given.known and not store.known:
        raise ValueError(f"nothing is kept for {given.name} yet; run it without --known")
    return store.everything() if given.known else store.fill(cells)


def show(given: Given, rows: list[Row], render: Any) -> None:
    """JSON for programs, Markdown for people."""
    print(json.dumps(rows, indent=1) if given.json else render(rows))
