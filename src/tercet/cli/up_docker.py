"""`tercet up --docker`: the compose project in the place of processes."""

from __future__ import annotations

from typing import Any

import typer
from rich.console import Console
from typer._click.core import ParameterSource

from tercet.cli import docker_project
from tercet.cli.usage_error import UsageError

SETTINGS = ("goal", "rounds", "period", "seed")
"""Options of `up` that mean the same in containers."""
ALSO = ("docker", "workers")


def foreign(context: typer.Context) -> list[str]:
    """Options given on the command line that mean nothing to containers."""
    return [
        parameter.opts[0]
        for parameter in context.command.params
        if parameter.name not in (*SETTINGS, *ALSO)
        and context.get_parameter_source(parameter.name or "") is ParameterSource.COMMANDLINE
    ]


def asked(options: dict[str, Any]) -> tuple[dict[str, str], int]:
    """The settings, as the containers' environment has them, and how many workers."""
    names = {"period": "round_period"}
    settings = {
        f"TERCET_{names.get(name, name).upper()}": str(options[name])
        for name in SETTINGS
        if options[name] is not None
    }
    return settings, options["workers"]


def up(settings: dict[str, str], workers: int, *, given: list[str]) -> None:
    """Build, start, wait until all are healthy, and say where the broker is.

    `given` names options that mean nothing to containers; raises UsageError for them, when this is
    no checkout of Tercet, and when no engine answers.
    """
    if given:
        raise UsageError(f"{given[0]} does not go with --docker: see .env.example, docs/deploy.md")
    if not docker_project.COMPOSE_FILE.exists():
        raise UsageError("--docker builds from a checkout of Tercet, and this is none")
    running = docker_project.project()
    scaled = ("--scale", f"world-model={workers}")
    words = ("up", "-d", "--build", "--wait", *scaled)
    docker_project.compose(running.name, [str(docker_project.COMPOSE_FILE)], *words, **settings)
    console = Console(stderr=True)
    console.print(f"{len(running.containers())} containers run", highlight=False)
    for container in running.containers("broker"):
        for port in container.ports.get("4222/tcp") or ():
            print(f"nats://{port['HostIp']}:{port['HostPort']}")
