"""The verbs that measure running systems: planning, decisions, dashboard, overload, chaos."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.chaos import FAULT_KINDS
from benchmarks.verbs import Options, show


def add(subparsers: Any, count: Callable[[str], int], factor: Callable[[str], float]) -> None:
    """Add the verbs to a parser; `count` reads a whole number from 1 on, `factor` any above 0."""

    def verb(name: str, run: Callable[[Options], None], text: str) -> argparse.ArgumentParser:
        command: argparse.ArgumentParser = subparsers.add_parser(name, help=text, description=text)
        command.set_defaults(verb=run)
        command.add_argument(
            "--json", action="store_true", help="JSON on stdout instead of Markdown"
        )
        return command

    command = verb(
        "planning",
        run_planning,
        "planned transitions a second by workers",
    )
    command.add_argument("--workers", type=count, nargs="+", default=[1, 2])
    command.add_argument("--jobs", type=count, default=60, help="planning jobs per measurement")
    command = verb(
        "local",
        run_local,
        "a local request end to end beside decode and onnxruntime on the same bytes",
    )
    command.add_argument("--variant", nargs="+", default=["d0", "d7"])
    command.add_argument("--pairs", type=count, default=200)
    command.add_argument("--models", type=Path, help="model directory; without it: the cache")
    command = verb(
        "http",
        run_http,
        "a local HTTP request beside decode and onnxruntime, a bare broker and a bare uvicorn",
    )
    command.add_argument("--variant", nargs="+", default=["d0", "d7"])
    command.add_argument("--pairs", type=count, default=300)
    command.add_argument("--models", type=Path, help="model directory; without it: the cache")
    command = verb("pictures", run_pictures, "kinds of pictures: label or refusal, memory and time")
    command.add_argument("--variant", default="d0")
    command.add_argument("--photo", type=Path, help="without it: grace_hopper.jpg")
    command.add_argument("--models", type=Path, help="model directory; without it: the cache")
    command = verb(
        "application", run_application, "response time that applications see as a system learns"
    )
    command.add_argument("--seconds", type=factor, default=120.0)
    command.add_argument("--rate", type=factor, default=10.0, help="requests a second, in all")
    command.add_argument("--devices", type=count, default=5)
    command.add_argument("--goal", default="85", help="as for `tercet up`")
    command.add_argument("--figure", type=Path, help="also draw it, into this PNG file")
    command = verb(
        "traffic", run_traffic, "applications of different pace: what is learned, beside the best"
    )
    command.add_argument(
        "--applications", nargs="+", default=["5", "0.2", "3x30"], metavar="RATE[xBURST]",
        help="requests a second of each device's application, and how many of them at once",
    )  # fmt: skip
    command.add_argument("--seconds", type=factor, default=600.0, help="of learning")
    command.add_argument("--goal", default="85", help="percent")
    command.add_argument("--candidates", type=int, default=10, help="pinned; 0: none")
    command.add_argument("--turns", type=count, default=3, help="of 20 s each, per candidate")
    command.add_argument("--seed", type=int, default=0, help="of the order of the turns")
    command = verb(
        "gateway-overload", run_gateway_overload, "requests of a device beyond what its node can do"
    )
    command.add_argument("--factor", type=factor, default=10.0, help="times the capacity")
    command.add_argument("--seconds", type=factor, default=20.0)
    command = verb(
        "http-overload", run_http_overload, "HTTP requests to a gateway beyond what its node can do"
    )
    command.add_argument("--factor", type=factor, default=10.0, help="times the capacity")
    command.add_argument("--seconds", type=factor, default=20.0)
    command.add_argument("--share", type=factor, default=0.25, help="of a core: the emulated node")
    command = verb("hung-cloud", run_hung_cloud, "requests that a cloud costs that hangs")
    command.add_argument("--seconds", type=factor, default=300.0)
    command.add_argument("--rate", type=factor, default=8.0, help="requests a second and device")
    command = verb(
        "orchestrator-outage", run_orchestrator_outage, "by which decision requests are answered"
    )
    command.add_argument("--seconds", type=factor, default=60.0)
    command.add_argument("--rate", type=factor, default=5.0, help="requests a second")
    command = verb(
        "decisions", run_decisions, "decision round trips beside bare echoes under the same load"
    )
    command.add_argument("--pairs", type=count, default=2000)
    command.add_argument("--workers", type=count, default=1)
    command = verb(
        "dashboard",
        run_dashboard,
        "cost of the live page: simulated devices, a real browser, plain viewers",
    )
    command.add_argument("--devices", type=count, default=200)
    command.add_argument(
        "--viewers", type=count, default=9, help="plain clients beside the browser"
    )
    command.add_argument("--seconds", type=count, default=120)
    command.add_argument(
        "--pairs", type=count, help="measure decisions with and without it instead"
    )
    command = verb(
        "chaos",
        run_chaos,
        "faults in random order, and independent clients that check the guarantees",
    )
    command.add_argument("--minutes", type=factor, default=20.0)
    command.add_argument(
        "--faults",
        type=count,
        default=1,
        help="least number of faults, even after the time is over",
    )
    command.add_argument(
        "--seed", type=int, default=1, help="seed of the faults and of their order"
    )
    command.add_argument(
        "--only", nargs="+", choices=FAULT_KINDS, help="only faults of these kinds"
    )
    command = verb(
        "overload",
        run_overload,
        "a multiple of the load that can be served, beside a bare echo; memory and recovery",
    )
    command.add_argument("--times", type=factor, default=10.0)
    command.add_argument("--seconds", type=factor, default=60.0)


def run_overload(options: Options) -> None:
    """Exit with 1 when a target is missed."""
    from benchmarks import overload

    found = asyncio.run(overload.measure(options.times, options.seconds))
    show(options, found, overload.render)
    sys.exit(0 if found["good"] else 1)


def run_chaos(options: Options) -> None:
    """Exit with 1 when a target is missed."""
    from benchmarks.chaos.run import Chaos
    from benchmarks.chaos.text import render

    async def run() -> dict[str, Any]:
        return await Chaos(options.seed, options.minutes, options.faults, options.only or ()).run()

    found = asyncio.run(run())
    show(options, found, render)
    sys.exit(0 if found["good"] else 1)


def run_dashboard(options: Options) -> None:
    """Cost of the dashboard, or with `--pairs` its effect on decisions."""
    from benchmarks import dashboard, decisions

    if options.pairs:
        rows = asyncio.run(dashboard.compare_decisions(options.pairs))
        show(options, rows, decisions.render)
        return
    row = asyncio.run(dashboard.load(options.devices, options.viewers, options.seconds))
    show(options, row, dashboard.render)


def run_planning(options: Options) -> None:
    """Throughput relative to the first number of workers."""
    from benchmarks import planning

    rows = [asyncio.run(planning.throughput(w, options.jobs)) for w in options.workers]
    for row in rows:
        ratio = row["transitions_per_s"] / rows[0]["transitions_per_s"]
        row["over_first"] = round(ratio, 2)
    show(options, rows, planning.render)


def run_local(options: Options) -> None:
    """One row per variant."""
    from benchmarks import local

    rows = asyncio.run(local.measure(options.variant, options.pairs, options.models))
    show(options, rows, local.render)


def run_http(options: Options) -> None:
    """One row per variant."""
    from benchmarks import local_http

    rows = asyncio.run(local_http.measure(options.variant, options.pairs, options.models))
    show(options, rows, local_http.render)


def run_application(options: Options) -> None:
    """One row per request with `--json`, else one per part of the run."""
    from benchmarks import application

    rows = application.measure(options.seconds, options.rate, options.goal, options.devices)
    if options.figure:
        application.draw(rows, options.figure)
    show(options, rows, application.render)


def run_traffic(options: Options) -> None:
    """Rows of what was learned, of what was expected, and of each candidate."""
    from benchmarks import traffic_system as module
    from benchmarks.traffic import Application

    rows = asyncio.run(
        module.measure(
            [Application.parse(text) for text in options.applications],
            options.seconds,
            options.goal,
            options.candidates,
            options.turns,
            options.seed,
        )
    )
    show(options, rows, module.render)


def run_pictures(options: Options) -> None:
    """One row per kind of picture."""
    from benchmarks import pictures

    show(options, pictures.measure(options.variant, options.photo, options.models), pictures.render)


def run_gateway_overload(options: Options) -> None:
    """One row before the overload, one in it, one after it."""
    from benchmarks import gateway_overload

    rows = asyncio.run(gateway_overload.measure(options.factor, options.seconds))
    show(options, rows, gateway_overload.render)


def run_http_overload(options: Options) -> None:
    """One row per load, and the figures that have targets."""
    from benchmarks import http_overload

    found = asyncio.run(http_overload.measure(options.factor, options.seconds, options.share))
    show(options, found, http_overload.render)


def run_hung_cloud(options: Options) -> None:
    """Counts of requests that timed out."""
    from benchmarks import hung_cloud

    found = asyncio.run(hung_cloud.measure(options.seconds, options.rate))
    show(options, found, hung_cloud.render)


def run_orchestrator_outage(options: Options) -> None:
    """Counts of answers by decision."""
    from benchmarks import orchestrator_outage

    found = asyncio.run(orchestrator_outage.measure(options.seconds, options.rate))
    show(options, found, orchestrator_outage.render)


def run_decisions(options: Options) -> None:
    """One row per condition."""
    from benchmarks import decisions

    rows = asyncio.run(decisions.measure(options.pairs, options.workers))
    show(options, rows, decisions.render)
