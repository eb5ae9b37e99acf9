"""`tercet chaos`: do to the compose project what the world will do to it anyway."""

from __future__ import annotations

import time
from typing import Annotated

import typer
from docker.models.containers import Container

from tercet.cli import docker_project
from tercet.cli.usage_error import UsageError

app = typer.Typer(
    help="Kill containers of the compose project, and see them come back.",
    no_args_is_help=True,
    epilog="Examples: [bold]tercet chaos kill orchestrator[/]; "
    "[bold]tercet chaos kill broker --leave[/].",
)

PATIENCE = 120.0
"""Seconds in which a killed container must be well again."""
LOOK = 0.5


@app.command()
def kill(
    service: Annotated[str, typer.Argument(help="Which service; all its containers.")],
    leave: Annotated[bool, typer.Option("--leave", help="Do not start it again.")] = False,
    project: docker_project.Name = docker_project.DEFAULT,
) -> None:
    """Kill a service's containers without warning (SIGKILL), start them again, wait for health."""
    victims = docker_project.project(project).containers(service)
    for container in victims:
        container.kill()
        print(f"{container.name}  killed")
    if leave:
        return
    for container in victims:
        container.start()
    for container in victims:
        print(
            f"{container.name}  {docker_project.health(container)} after {recovered(container):.1f} s"
        )


def recovered(container: Container) -> float:
    """Wait until a container is well again; the seconds that took. Raises UsageError."""
    started = time.monotonic()
    while True:
        container.reload()
        if docker_project.health(container) in ("healthy", "running"):
            return time.monotonic() - started
        if time.monotonic() - started > PATIENCE:
            raise UsageError(f"{container.name} is {docker_project.health(container)}: tercet logs")
        time.sleep(LOOK)
