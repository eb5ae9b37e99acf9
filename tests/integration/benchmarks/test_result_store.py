"""Finished cells: computed once, in several processes, and kept on disk."""

from __future__ import annotations

import os

import pytest

from benchmarks import table6
from benchmarks.result_store import Cell, ResultStore
from benchmarks.summary import REGRETS


def square(k: int, calls: list[int]) -> Cell:
    def compute() -> dict:
        calls.append(k)
        return {"value": k * k, "pid": os.getpid()}

    return Cell({"k": k}, compute)


def test_a_store_computes_each_cell_once(tmp_path) -> None:
    calls: list[int] = []
    path = tmp_path / "cells.jsonl"
    ResultStore(path, quiet=True).fill([square(1, calls), square(2, calls)])
    rows = ResultStore(path, quiet=True).fill([square(k, calls) for k in (1, 2, 3)])
    assert calls == [1, 2, 3]
    assert [(row["k"], row["value"]) for row in rows] == [(1, 1), (2, 4), (3, 9)]
    assert ResultStore(path, quiet=True).everything() == rows


def test_several_processes_compute_and_the_parent_stores_in_order(tmp_path, capsys) -> None:
    path = tmp_path / "cells.jsonl"
    rows = ResultStore(path, jobs=3).fill([square(k, []) for k in range(8)])
    assert [row["value"] for row in rows] == [k * k for k in range(8)]
    assert os.getpid() not in {row["pid"] for row in rows}
    assert sorted(ResultStore(path).everything(), key=lambda row: row["k"]) == rows
    assert "8/8" in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize("jobs", [1, 2])
def test_cells_finished_before_an_error_are_kept(tmp_path, jobs) -> None:
    def fail() -> dict:
        raise ValueError("no such world")

    path = tmp_path / "cells.jsonl"
    ResultStore(path, quiet=True).fill([square(1, [])])
    with pytest.raises(ValueError, match="no such world"):
        ResultStore(path, quiet=True, jobs=jobs).fill(
            [square(1, []), Cell({"k": 2}, fail), square(3, [])]
        )
    assert ResultStore(path).everything()[0]["value"] == 1


def test_a_run_without_convergence_is_repeated_under_a_higher_cap(tmp_path) -> None:
    path = tmp_path / "cells.jsonl"

    def cells(cap: float) -> list[Cell]:
        return table6.cells(["autoscale"], [2], ["max"], ["A"], ["mean"], 2, cap)

    low, high = cells(0.001), cells(1.0)
    regrets = dict.fromkeys(REGRETS, 0.0)
    ResultStore(path).keep(low[0].key, {"steps": None, "cap": 7, **regrets})
    ResultStore(path).keep(low[1].key, {"steps": 5, "cap": 7, **regrets})
    kept = ResultStore(path)
    assert [kept._has(cell) for cell in low] == [True, True]
    assert [kept._has(cell) for cell in high] == [False, True]


def test_an_invalid_line_of_cells_is_reported(tmp_path) -> None:
    path = tmp_path / "cells.jsonl"
    path.write_text('{"key": {"k": 1}, "value": {}}\n{"key": {"k"\n')
    with pytest.raises(ValueError, match="line 2: not a finished cell"):
        ResultStore(path)
