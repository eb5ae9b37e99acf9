"""The compose project in the Docker engine: its containers, their health and their logs.

Reading and killing use the engine's API (the Docker SDK). Containers are created by
`docker compose`, which reads the compose files (docs/decisions/0016).
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import docker
import typer
from docker.errors import DockerException
from docker.models.containers import Container

from tercet.cli.usage_error import UsageError

LABEL = "com.docker.compose"
COMPOSE_FILE = Path(__file__).parents[3] / "compose.yaml"

Name = Annotated[str, typer.Option("--project", help="Name of the compose project.")]
DEFAULT = "tercet"


@dataclass(frozen=True)
class Project:
    """A compose project that may or may not run."""

    client: docker.DockerClient
    name: str = DEFAULT

    def containers(self, service: str | None = None, *, ended: bool = False) -> list[Container]:
        """Its containers, or those of one service, by name; raises UsageError if none."""
        labels = [f"{LABEL}.project={self.name}"]
        if service is not None:
            labels.append(f"{LABEL}.service={service}")
        found = self.client.containers.list(all=ended, filters={"label": labels})
        if not found:
            raise UsageError(self._reason(service))
        return sorted(found, key=lambda container: str(container.name))

    def services(self) -> list[str]:
        """Names of the services that have a container."""
        found = self.client.containers.list(
            all=True, filters={"label": f"{LABEL}.project={self.name}"}
        )
        return sorted({container.labels[f"{LABEL}.service"] for container in found})

    def _reason(self, service: str | None) -> str:
        known = self.services()
        if service is None or not known:
            return f"no containers of project {self.name}: tercet up --docker"
        return f"{service}: no such service runs in project {self.name}; one of {', '.join(known)}"

    def files(self) -> list[str]:
        """The compose files it was made from, by the labels of its containers."""
        labels = self.containers(ended=True)[0].labels
        return labels[f"{LABEL}.project.config_files"].split(",")


def project(name: str = DEFAULT) -> Project:
    """Connect to the engine; raises UsageError when none answers."""
    try:
        client = docker.from_env()
        client.ping()
    except DockerException as error:
        raise UsageError(f"no Docker engine answers: {error}") from error
    return Project(client, name)


def compose(project: str, files: list[str], *words: str, **settings: str) -> None:
    """Run `docker compose` with its output shown; raises UsageError when it fails."""
    if shutil.which("docker") is None:
        raise UsageError("docker is not on PATH: its compose plugin creates the containers")
    named = [word for file in files for word in ("-f", file)]
    environment: Mapping[str, str] = {**os.environ, **settings}
    done = subprocess.run(
        ["docker", "compose", "-p", project, *named, *words], env=environment, check=False
    )
    if done.returncode != 0:
        raise UsageError(f"docker compose {words[0]} failed, see above")


def health(container: Container) -> str:
    """`healthy`, `unhealthy`, `starting`, or the container's state where it has no check."""
    state = container.attrs["State"]
    return str(state.get("Health", {}).get("Status") or state["Status"])
