"""Verbs that measure the system on its bus: planning throughput, decision round trips."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import dashboard, decisions, local, overload, planning
from benchmarks.chaos import text as chaos_text
from benchmarks.chaos.faults import KINDS

Given = argparse.Namespace


def add(found: Any, count: Callable[[str], int], factor: Callable[[str], float]) -> None:
    """Add the verbs to a parser; `count` reads a whole number from 1 on, `factor` any above 0."""

    def verb(name: str, does: Callable[[Given], None], text: str) -> argparse.ArgumentParser:
        made: argparse.ArgumentParser = found.add_parser(name, help=text, description=text)
        made.set_defaults(verb=does)
        made.add_argument("--json", action="store_true", help="JSON on stdout instead of Markdown")
        return made

    made = verb(
        "planning", plan, "planned transitions a second by workers; the model's error by members"
    )
    made.add_argument("--workers", type=count, nargs="+", default=[1, 2])
    made.add_argument("--jobs", type=count, default=60, help="planning jobs per measurement")
    made.add_argument("--members", type=count, nargs="+", help="measure the model's error instead")
    made.add_argument("--seeds", type=count, default=5)
    made = verb(
        "local",
        respond,
        "a local request end to end beside decode and onnxruntime on the same bytes",
    )
    made.add_argument("--variant", nargs="+", default=["d0", "d7"])
    made.add_argument("--pairs", type=count, default=200)
    made.add_argument("--models", type=Path, help="model directory; without it: the cache")
    made = verb("decisions", decide, "decision round trips beside bare echoes under the same load")
    made.add_argument("--pairs", type=count, default=2000)
    made.add_argument("--workers", type=count, default=1)
    made = verb(
        "dashboard",
        show_page,
        "what the live page costs: a crowd of devices, a real browser, plain viewers",
    )
    made.add_argument("--devices", type=count, default=200)
    made.add_argument("--viewers", type=count, default=9, help="plain clients beside the browser")
    made.add_argument("--seconds", type=count, default=120)
    made.add_argument("--pairs", type=count, help="measure decisions with and without it instead")
    made = verb(
        "chaos",
        chaos,
        "faults in an order of chance, and a ledger on the outside that checks the promises",
    )
    made.add_argument("--minutes", type=factor, default=20.0)
    made.add_argument("--faults", type=count, default=1, help="at least so many, however long")
    made.add_argument("--seed", type=int, default=1, help="which faults, and in which order")
    made.add_argument("--only", nargs="+", choices=KINDS, help="faults of these kinds alone")
    made = verb(
        "overload",
        flood,
        "many times the load that can be served, beside a bare echo; memory and recovery",
    )
    made.add_argument("--times", type=factor, default=10.0)
    made.add_argument("--seconds", type=factor, default=60.0)


def flood(given: Given) -> None:
    """Exit code 1 when a bar is missed."""
    found = asyncio.run(overload.measure(given.times, given.seconds))
    print(json.dumps(found, indent=1) if given.json else overload.render(found))
    sys.exit(0 if found["good"] else 1)


def chaos(given: Given) -> None:
    """Exit code 1 when a bar is missed."""
    from benchmarks.chaos.run import Chaos

    async def run() -> dict[str, Any]:
        return await Chaos(given.seed, given.minutes, given.faults, given.only or ()).run()

    found = asyncio.run(run())
    print(json.dumps(found, indent=1) if given.json else chaos_text.render(found))
    sys.exit(0 if found["good"] else 1)


def show_page(given: Given) -> None:
    """Its load, or whether decisions notice it."""
    if given.pairs:
        rows = asyncio.run(dashboard.beside(given.pairs))
        print(json.dumps(rows, indent=1) if given.json else decisions.render(rows))
        return
    row = asyncio.run(dashboard.load(given.devices, given.viewers, given.seconds))
    print(json.dumps(row, indent=1) if given.json else dashboard.render(row))


def plan(given: Given) -> None:
    """Throughput with the first number of workers as the yardstick, or the error by members."""
    if given.members:
        _show(given, planning.error_by_members(given.members, given.seeds))
        return
    rows = [asyncio.run(planning.throughput(w, given.jobs)) for w in given.workers]
    for row in rows:
        ratio = row["transitions_per_s"] / rows[0]["transitions_per_s"]
        row["over_first"] = round(ratio, 2)
    _show(given, rows)


def respond(given: Given) -> None:
    """Each variant in turn."""
    rows = asyncio.run(local.measure(given.variant, given.pairs, given.models))
    print(json.dumps(rows, indent=1) if given.json else local.render(rows))


def decide(given: Given) -> None:
    """Both conditions."""
    rows = asyncio.run(decisions.measure(given.pairs, given.workers))
    print(json.dumps(rows, indent=1) if given.json else decisions.render(rows))


def _show(given: Given, rows: list[dict[str, Any]]) -> None:
    print(json.dumps(rows, indent=1) if given.json else planning.render(rows))
