"""`tercet chaos`: faults on purpose, in the containers of the compose project."""

from __future__ import annotations

import time
from typing import Annotated

import typer
from docker.models.containers import Container

from tercet.cli import docker_project
from tercet.cli.usage_error import UsageError

EPILOG = (
    "Examples: [bold]tercet chaos kill orchestrator[/]; "
    "[bold]tercet chaos kill broker --leave[/] does not start it again."
)

app = typer.Typer(
    help="Kill containers of the compose project, and wait until they are healthy again.",
    no_args_is_help=True,
    epilog=EPILOG,
)

RECOVERY_TIMEOUT_S = 120.0
"""Seconds in which a killed container must be healthy again."""
POLL_PERIOD_S = 0.5


@app.command(epilog=EPILOG)
def kill(
    service: Annotated[str, typer.Argument(help="Which service; all its containers.")],
    leave: Annotated[bool, typer.Option("--leave", help="Do not start it again.")] = False,
    project: docker_project.Name = docker_project.DEFAULT,
) -> None:
    """Kill a service's containers without warning (SIGKILL), start them again, wait for health."""
    containers = docker_project.project(project).containers(service)
    for container in containers:
        container.kill()
        print(f"{container.name}  killed")
    if leave:
        return
    for container in containers:
        container.start()
    for container in containers:
        seconds = recovery_time(container)
        print(f"{container.name}  {docker_project.health(container)} after {seconds:.1f} s")


def recovery_time(container: Container) -> float:
    """Wait until a container is healthy again; the seconds that took. Raises UsageError."""
    started = time.monotonic()
    while True:
        container.reload()
        if docker_project.health(container) in ("healthy", "running"):
            return time.monotonic() - started
        if time.monotonic() - started > RECOVERY_TIMEOUT_S:
            raise UsageError(f"{container.name} is {docker_project.health(container)}: tercet logs")
        time.sleep(POLL_PERIOD_S)
