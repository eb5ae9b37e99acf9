"""`tercet scale`: so many containers of one service, the others left alone."""

from __future__ import annotations

from typing import Annotated

import typer

from tercet.cli import docker_project
from tercet.cli.usage_error import UsageError

EPILOG = "Examples: [bold]tercet scale world-model 4[/]; [bold]tercet scale world-model 1[/]."
SCALABLE = ("world-model",)
"""Services of which several share the work; of the others a second one would be in the way."""


def scale(
    service: Annotated[str, typer.Argument(help="Which service: world-model.")],
    count: Annotated[int, typer.Argument(min=0, max=100, help="How many of it.")],
    project: docker_project.Name = docker_project.DEFAULT,
) -> None:
    """Run so many containers of a service of the compose project."""
    if service not in SCALABLE:
        raise UsageError(f"{service}: only {', '.join(SCALABLE)} can be scaled")
    running = docker_project.project(project)
    grown = ("--no-recreate", "--no-deps", "--scale", f"{service}={count}", service)
    docker_project.compose(project, running.files(), "up", "-d", "--wait", *grown)
    present = running.containers(service) if count else []
    for container in present:
        print(f"{container.name}  {docker_project.health(container)}")
