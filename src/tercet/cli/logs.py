"""`tercet logs`: the logs of the compose project's containers, ordered by time."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from typing import Annotated

import typer
from docker.models.containers import Container

from tercet.cli import docker_project

EPILOG = "Examples: [bold]tercet logs device-1[/]; [bold]tercet logs --follow --tail 0[/]."


def logs(
    service: Annotated[str | None, typer.Argument(help="Which service; all without.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Continue until Ctrl-C.")] = False,
    tail: Annotated[int, typer.Option(min=0, help="Last lines of each container.")] = 20,
    project: docker_project.Name = docker_project.DEFAULT,
) -> None:
    """Print the logs of containers, each line with the container's name."""
    containers = docker_project.project(project).containers(service, ended=True)
    if not follow:
        for _, line in sorted(line for each in containers for line in lines_of(each, tail=tail)):
            print(line)
        return
    for line in followed(containers, tail):
        print(line, flush=True)


def lines_of(container: Container, *, tail: int, follow: bool = False) -> Iterator[tuple[str, str]]:
    """Each line with the time at which the engine received it."""
    rest = b""
    for chunk in container.logs(stream=True, follow=follow, tail=tail, timestamps=True):
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            at, _, text = line.decode(errors="replace").partition(" ")
            yield at, f"{container.name} | {text}"


def followed(containers: list[Container], tail: int) -> Iterator[str]:
    """Lines of all containers as they come, until every container has ended."""
    lines: queue.Queue[str | None] = queue.Queue()

    def read(container: Container) -> None:
        for _, line in lines_of(container, tail=tail, follow=True):
            lines.put(line)
        lines.put(None)

    for container in containers:
        threading.Thread(target=read, args=(container,), daemon=True).start()
    ended = 0
    while ended < len(containers):
        line = lines.get()
        if line is None:
            ended += 1
        else:
            yield line
