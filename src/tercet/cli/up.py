"""`tercet up`: everything on this host, from broker to devices, and a summary at the end."""

from __future__ import annotations

import asyncio
import json
import tempfile
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
from tercet.models.manifest import Manifest
from tercet.process.settings import PolicyName
from tercet.services.dashboard.settings import DEFAULT_PORT
from tercet.services.gateway.settings import FIRST_GATEWAY_PORT
from tercet.services.simulator.environment_loader import load
from tercet.services.simulator.regret_evaluator import RegretEvaluator
from tercet.sim.environment import Environment

T = TypeVar("T")

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
    goal: run_options.Goal = "85",
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
        wanted = input_checks.goal(goal)
        input_checks.folders(logs=logs, store=store)
        input_checks.port(port)
        found = None if simulated else prepared(images, models, console)
        goal = input_checks.reachable(wanted, accuracies(found, environment))
    except KeyboardInterrupt:
        console.print("Stopped before anything was started.")
        raise typer.Exit from None
    served = _chosen(dashboard, console.is_terminal)
    config = RunConfig(
        goal=goal,
        rounds=rounds,
        evaluations=_chosen(evaluations, 0 if simulated else 12) if rounds else 0,
        period=_chosen(period, 0.0 if simulated else 0.5),
        policy=policy,
        devices=users,
        nodes=_node_count(environment, devices),
        workers=workers,
        staleness=1 if simulated and staleness is None else staleness,
        images=images,
        models=found.directory if found else None,
        shared_variant=most_accurate(found) if found and policy == "hybrid-paper" else None,
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
    summary = summarise(record, goal)
    if as_json:
        print(json.dumps(summary))
    else:
        show_summary(summary, found)


def prepared(images: Path | None, models: Path | None, console: Console) -> Manifest:
    """Check the pictures, and build or verify the models."""
    input_checks.pictures(images, console)
    found = input_checks.models(models, console)
    if found.untrained:
        console.print("Weights: seeded, untrained. Timing is real, labels are not.", style="yellow")
    return found


def most_accurate(found: Manifest) -> str:
    """What edge and cloud run for the paper's agent, which decides among all joint assignments."""
    return max(found.variants, key=lambda name: found.variants[name].accuracy_pct)


def accuracies(found: Manifest | None, world: Environment | None) -> dict[str, float]:
    """Variant to accuracy, of the models or of the world."""
    if world is not None:
        return dict(world.platform.accuracy)
    return {name: entry.accuracy_pct for name, entry in found.variants.items()} if found else {}


def _node_count(world: Environment | None, devices: int) -> int:
    if world is None:
        return devices + 2
    return len(world.platform.devices) + len(world.platform.edges) + 1


def _chosen(value: T | None, default: T) -> T:
    return default if value is None else value
