"""A compose project in tests: start it, inspect it, remove it with everything that it made."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


def docker(*arguments: str, check: bool = True) -> str:
    """Run docker, return its stdout; its stderr is the message of the assertion."""
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True)
    assert not check or done.returncode == 0, f"docker {' '.join(arguments)}: {done.stderr}"
    return done.stdout.strip()


@dataclass(frozen=True)
class Project:
    """Files and variables that make one project."""

    name: str
    files: tuple[str, ...] = ()
    variables: dict[str, str] = field(default_factory=dict)
    family: str = "mobilenet-v1"
    """What the image of the models delivers: its timing is what most tests are about."""

    def compose(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run docker compose on this project."""
        files = [argument for file in self.files for argument in ("-f", str(ROOT / file))]
        done = subprocess.run(
            ["docker", "compose", "-p", self.name, *files, *arguments],
            cwd=ROOT,
            env={**os.environ, "TERCET_MODELS_FAMILY": self.family, **self.variables},
            capture_output=True,
            text=True,
        )
        assert not check or done.returncode == 0, f"{arguments}: {done.stderr[-3000:]}"
        return done

    def up(self, *arguments: str) -> None:
        """Start it and wait until everything is healthy; fails with the logs of what is not."""
        done = self.compose("up", "-d", "--wait", *arguments, check=False)
        assert done.returncode == 0, f"{done.stderr[-1500:]}\n{self.unhealthy_logs()}"

    def containers(self) -> list[dict[str, Any]]:
        """Every container, exited ones too."""
        lines = self.compose("ps", "-a", "--format", "json").stdout.splitlines()
        return [json.loads(line) for line in lines]

    def unhealthy_logs(self) -> str:
        """The last log lines of each container that is not healthy."""
        unhealthy = [c for c in self.containers() if c["Health"] not in ("healthy", "")]
        return "\n".join(
            f"{c['Name']} is {c['Status']}: {docker('logs', '--tail=5', c['Name'], check=False)}"
            for c in unhealthy
        )

    def logs(self, service: str) -> str:
        """The log of a service."""
        return self.compose("logs", "--no-color", "--no-log-prefix", service).stdout

    def first_line(self, service: str, text: str) -> str:
        """Wait for the first line of a service's log that contains `text`."""
        following = ["docker", "logs", "-f", f"{self.name}-{service}-1"]
        with subprocess.Popen(
            following, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as log:
            assert log.stdout is not None
            try:
                return next((line for line in log.stdout if text in line), "")
            finally:
                log.kill()

    def address(self, service: str, port: int) -> str:
        """Host and port at which a port of a service is published."""
        return self.compose("port", service, str(port)).stdout.strip()

    def down(self) -> None:
        """Stop and remove it; no container, volume or network of it remains."""
        self.compose("down", "-v", "--remove-orphans", "-t", "5")
        label = f"label=com.docker.compose.project={self.name}"
        assert docker("ps", "-aq", "--filter", label) == ""
        assert docker("volume", "ls", "-q", "--filter", label) == ""
        assert docker("network", "ls", "-q", "--filter", label) == ""
