"""`tercet scale`: the number of containers of one service; the others are not changed."""

from __future__ import annotations

from typing import Annotated

import typer

from tercet.cli import docker_project
from tercet.cli.usage_error import UsageError

EPILOG = "Examples: [bold]tercet scale world-model 4[/]; [bold]tercet scale world-model 1[/]."
SCALABLE = ("world-model",)
"""Services whose containers share the work; of each other service there is one per node."""


def scale(
    service: Annotated[str, typer.Argument(help="Which service: world-model.")],
    count: Annotated[int, typer.Argument(min=0, max=100, help="How many.")],
    project: docker_project.Name = docker_project.DEFAULT,
) -> None:
    """Set the number of containers of one service of the compose project."""
    if service not in SCALABLE:
        raise UsageError(f"{service}: only {', '.join(SCALABLE)} can be scaled")
    running = docker_project.project(project)
    options = ("--no-recreate", "--no-deps", "--scale", f"{service}={count}", service)
    docker_project.compose(project, running.files(), "up", "-d", "--wait", *options)
    present = running.containers(service) if count else []
    for container in present:
        print(f"{container.name}  {docker_project.health(container)}")
