"""`tercet up --docker`: the compose project in place of processes."""

from __future__ import annotations

from typing import Any

import typer
from rich.console import Console

from tercet.cli import docker_project
from tercet.cli.usage_error import UsageError

SETTINGS = ("goal", "rounds", "period", "seed")
"""Options of `up` that mean the same in containers."""
GATEWAY = "8100/tcp"
"""The port of a gateway in its container."""
ALSO = ("docker", "workers")


def inapplicable(context: typer.Context) -> list[str]:
    """Options given on the command line that do not apply to containers."""
    return [
        parameter.opts[0]
        for parameter in context.command.params
        if parameter.name not in (*SETTINGS, *ALSO) and _is_given(context, parameter.name or "")
    ]


def _is_given(context: typer.Context, parameter: str) -> bool:
    """Whether a parameter's value is from the command line.

    The source is an enum of click, which some versions of Typer include under a private name; so
    it is compared by name.
    """
    source = context.get_parameter_source(parameter)
    return source is not None and source.name == "COMMANDLINE"


def compose_settings(options: dict[str, Any]) -> tuple[dict[str, str], int]:
    """The environment of the containers, and the number of workers."""
    names = {"period": "round_period"}
    values = {**options, "goal": _single_goal(options["goal"])}
    settings = {
        f"TERCET_{names.get(name, name).upper()}": str(values[name])
        for name in SETTINGS
        if values[name] is not None
    }
    return settings, options["workers"]


def _single_goal(given: list[str] | None) -> str | None:
    if given and (len(given) > 1 or "=" in given[0]):
        raise UsageError("--goal of single families does not go with --docker: use tercet goal")
    return given[0] if given else None


def up(settings: dict[str, str], workers: int, *, given: list[str]) -> None:
    """Build, start, wait until all are healthy, print the gateways and the broker's URL.

    `given` names options that do not apply to containers. Raises UsageError for them, outside of a
    source tree of Tercet, and when no engine answers.
    """
    if given:
        raise UsageError(f"{given[0]} does not go with --docker: see .env.example, docs/deploy.md")
    if not docker_project.COMPOSE_FILE.exists():
        raise UsageError("--docker builds from a source tree of Tercet, and this is none")
    running = docker_project.project()
    scaled = ("--scale", f"world-model={workers}")
    command = ("up", "-d", "--build", "--wait", *scaled)
    docker_project.compose(running.name, [str(docker_project.COMPOSE_FILE)], *command, **settings)
    console = Console(stderr=True)
    listed = running.containers()
    console.print(f"{len(listed)} containers run", highlight=False)
    for container in listed:
        for port in container.ports.get(GATEWAY) or ():
            device = container.labels[f"{docker_project.LABEL}.service"]
            address = f"http://{port['HostIp']}:{port['HostPort']}"
            console.print(f"gateway of {device}: {address}", highlight=False)
    for container in running.containers("broker"):
        for port in container.ports.get("4222/tcp") or ():
            print(f"nats://{port['HostIp']}:{port['HostPort']}")
