"""Verb `report`: write every kept table to benchmarks/results/ as JSON and Markdown."""

from __future__ import annotations

import argparse
import contextlib
import io
import json
from collections.abc import Callable
from pathlib import Path

TABLES = (
    "table5", "table6", "table7", "figure3", "speedup", "ablation", "worlds", "regret", "goals",
    "algorithm1", "scale", "drift", "newcomer", "tune", "peers", "liars", "deceit",
)  # fmt: skip


def write(folder: Path, parse: Callable[[list[str]], argparse.Namespace]) -> list[str]:
    """Run each verb with `--known`, once per format; returns the names of the tables written."""
    written = []
    for name in TABLES:
        try:
            rows = _printed(parse([name, "--known", "--json"]))
            text = _printed(parse([name, "--known"]))
        except (IndexError, ValueError, KeyError):
            continue  # No cell of this table is kept yet.
        if not json.loads(rows):
            continue
        (folder / f"{name}.json").write_text(rows, encoding="utf-8")
        head = f"# {name}\n\n`python -m benchmarks {name}` (options, if any: see README.md)\n\n"
        (folder / f"{name}.md").write_text(head + text, encoding="utf-8")
        written.append(name)
    return written


def _printed(options: argparse.Namespace) -> str:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        options.verb(options)
    return out.getvalue()
