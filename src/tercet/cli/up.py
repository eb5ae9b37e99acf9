"""`tercet up`: everything on this host, from broker to devices, and a summary at the end."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from rich.console import Console

from tercet.cli import input_checks, run_options
from tercet.cli.display import Display
from tercet.cli.process_plan import RunConfig
from tercet.cli.run import RunLocation, run
from tercet.cli.run_record import RunRecord
from tercet.cli.summary import show_summary, summarise
from tercet.cli.usage_error import UsageError
from tercet.models.manifest import Manifest, default_directory
from tercet.process.settings import PolicyName
from tercet.rl.goal import Goal
from tercet.services.dashboard.settings import DEFAULT_PORT
from tercet.services.gateway.settings import FIRST_GATEWAY_PORT
from tercet.services.simulator.environment_loader import load
from tercet.services.simulator.regret_evaluator import RegretEvaluator
from tercet.sim.environment import Environment

T = TypeVar("T")
PAPER_GOAL = 85.0
"""Goal in a world, unless one is given."""

EPILOG = (
    "Examples: [bold]tercet up[/] runs until Ctrl-C. "
    "[bold]tercet up --rounds 60 --goal 80[/] learns for 60 rounds, compares, ends. "
    "[bold]tercet up --rounds 60 --json[/] prints the summary as JSON. "
    "[bold]tercet up --images ~/pictures[/] classifies your own pictures. "
    "[bold]tercet up --world paper-A --rounds 300 --workers 2[/] simulates the paper's platform. "
    "[bold]tercet up --world paper-A --users 3 --policy hybrid-paper[/] runs the paper's agent."
)


def up(
    context: typer.Context,
    rounds: Annotated[
        int | None,
        typer.Option(min=1, help="Learning rounds; without it: free-running, until stopped."),
    ] = None,
    goal: Annotated[
        list[str] | None,
        typer.Option(
            help="Least average accuracy: min, max, or percent 0..100; of one of several families:"
            " doors=90. Without it: the family's own (in a world 85)."
        ),
    ] = None,
    family: Annotated[
        list[str] | None,
        typer.Option(help="Model families, by name; without it: the model directory's."),
    ] = None,
    policy: Annotated[
        PolicyName,
        typer.Option(help="Who decides: hybrid, or hybrid-paper (extra: paper; five devices)."),
    ] = "hybrid",
    devices: Annotated[
        int, typer.Option("--devices", "--users", min=1, max=50, help="Devices to emulate.")
    ] = 5,
    workers: Annotated[
        int,
        typer.Option(
            min=0, max=50, help="World-model workers, which share the five members; 0: no planning."
        ),
    ] = 1,
    evaluations: Annotated[
        int | None,
        typer.Option(min=0, help="Evaluation rounds per policy at the end (12; in a world 0)."),
    ] = None,
    period: Annotated[
        float | None,
        typer.Option(min=0.0, help="Seconds from round to round, or request (0.5; in a world 0)."),
    ] = None,
    images: Annotated[
        Path | None, typer.Option(help="Folder of pictures; without it: three photographs.")
    ] = None,
    models: Annotated[
        Path | None,
        typer.Option(envvar="TERCET_MODELS", help="Model directory; built there when missing."),
    ] = None,
    world: Annotated[
        str | None,
        typer.Option(help="Simulate all nodes: paper-A..paper-D, or package.module:factory."),
    ] = None,
    speed: Annotated[
        float, typer.Option(min=0.01, help="Virtual seconds per second in a simulated world.")
    ] = 50.0,
    staleness: Annotated[
        int | None,
        typer.Option(min=1, help="Rounds that parameters may be behind (unbounded; in a world 1)."),
    ] = None,
    bus: run_options.BusUrl = None,
    port: Annotated[
        int, typer.Option(min=-1, max=65535, help="Port of the embedded broker; -1: a free one.")
    ] = -1,
    store: run_options.Store = None,
    logs: run_options.Logs = None,
    dashboard: Annotated[
        bool | None,
        typer.Option(help="Serve the live page, and print its address (on a terminal: yes)."),
    ] = None,
    gateway_port: Annotated[
        int,
        typer.Option(
            min=1,
            max=65535,
            envvar="TERCET_GATEWAY_PORT",
            help="Port of device-1's gateway, the next one of device-2; taken: free ones.",
        ),
    ] = FIRST_GATEWAY_PORT,
    metrics: Annotated[
        int | None,
        typer.Option(min=1, max=65000, help="First health port, one per process (default: none)."),
    ] = None,
    docker: Annotated[
        bool, typer.Option("--docker", help="Containers (compose.yaml) in place of processes.")
    ] = False,
    seed: run_options.Seed = 0,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the summary as one JSON object on stdout.")
    ] = False,
) -> None:
    """Start everything on this host, learn, and compare the policy with fixed policies."""
    if docker:
        from tercet.cli import up_docker

        given = up_docker.inapplicable(context)
        up_docker.up(*up_docker.compose_settings(context.params), given=given)
        return
    console = Console(stderr=True, soft_wrap=True)
    simulated = world is not None
    environment = None if world is None else load(world, devices)
    try:
        if bus is not None:
            input_checks.alone("--bus", store=store, port=None if port == -1 else port)
        users = len(environment.platform.devices) if environment else devices
        input_checks.policy(policy, users)
        wanted = input_checks.goals(goal or ())
        input_checks.folders(logs=logs, store=store)
        input_checks.port(port)
        found = [] if simulated else prepared(images, models, family, console)
        if len(found) > 1 and rounds:
            raise UsageError("--rounds goes with one family: several are free-running only")
        goals = goals_in_force(wanted, found, environment)
    except KeyboardInterrupt:
        console.print("Stopped before anything was started.")
        raise typer.Exit from None
    served = _chosen(dashboard, console.is_terminal)
    first = next(iter(goals.values()))
    config = RunConfig(
        goal=first,
        goals=goals if len(found) > 1 else {},
        rounds=rounds,
        evaluations=_chosen(evaluations, 0 if simulated else 12) if rounds else 0,
        period=_chosen(period, 0.0 if simulated else 0.5),
        policy=policy,
        devices=users,
        nodes=_node_count(environment, devices),
        workers=workers,
        staleness=1 if simulated and staleness is None else staleness,
        images=images,
        models=(models or default_directory()) if found else None,
        families=tuple(one.name for one in found),
        shared_variant=most_accurate(found[0]) if found and policy == "hybrid-paper" else None,
        world=world,
        speed=speed,
        seed=seed,
        metrics=metrics,
        gateways=() if simulated else input_checks.ports_or_free(gateway_port, devices),
        dashboard=input_checks.port_or_free(DEFAULT_PORT) if served else None,
    )
    record = RunRecord(RegretEvaluator(environment) if environment else None)
    with tempfile.TemporaryDirectory(prefix="tercet-") as scratch:
        location = RunLocation(
            store=input_checks.made(store or Path(scratch) / "store"),
            logs=input_checks.made(logs or Path(scratch) / "logs"),
            bus=bus,
            port=port,
        )
        display = Display(console)
        with display.shown():
            asyncio.run(run(config, location, display, record))
    summary = summarise(record, first)
    if as_json:
        print(json.dumps(summary))
    else:
        show_summary(summary, found[0] if found else None)


def prepared(
    images: Path | None, models: Path | None, families: list[str] | None, console: Console
) -> list[Manifest]:
    """Check the pictures, and build or verify the models; print what is to be known of them."""
    input_checks.pictures(images, console)
    found = input_checks.models(models, console, families)
    for one in found:
        if one.untrained:
            which = f" of {one.name}" if len(found) > 1 else ""
            notice = f"Weights{which}: seeded, untrained. Timing is real, labels are not."
            console.print(notice, style="yellow", highlight=False)
        for doubt in one.doubts():
            console.print(f"{one.name}: {doubt}", style="yellow", highlight=False)
    return found


def goals_in_force(
    wanted: Mapping[str, Goal], found: list[Manifest], world: Environment | None
) -> dict[str, str]:
    """Family, or "" in a world, to its goal: given, or its default. UsageError if unreachable."""
    if world is not None or not found:
        accuracies = dict(world.platform.accuracy) if world else {}
        return {"": input_checks.reachable(wanted.get("", PAPER_GOAL), accuracies)}
    names = {one.name for one in found}
    if unknown := [name for name in wanted if name and name not in names]:
        raise UsageError(f"--goal: {unknown[0]} is none of {', '.join(sorted(names))}")
    return {
        one.name: input_checks.family_goal(wanted.get(one.name, wanted.get("")), one)
        for one in found
    }


def most_accurate(found: Manifest) -> str:
    """What edge and cloud run for the paper's agent, which decides among all joint assignments."""
    return max(found.variants, key=lambda name: found.variants[name].accuracy_pct)


def _node_count(world: Environment | None, devices: int) -> int:
    if world is None:
        return devices + 2
    return len(world.platform.devices) + len(world.platform.edges) + 1


def _chosen(value: T | None, default: T) -> T:
    return default if value is None else value
