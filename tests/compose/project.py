"""A compose project as the tests see it: up, looked into, cut, down without a trace."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


def docker(*arguments: str, check: bool = True) -> str:
    """Run docker; what it prints on stdout. Its complaint is the assertion's message."""
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True)
    assert not check or done.returncode == 0, f"docker {' '.join(arguments)}: {done.stderr}"
    return done.stdout.strip()


@dataclass(frozen=True)
class Project:
    """Files and variables that make one project."""

    name: str
    files: tuple[str, ...] = ()
    variables: dict[str, str] = field(default_factory=dict)

    def compose(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run docker compose on this project."""
        files = [word for file in self.files for word in ("-f", str(ROOT / file))]
        done = subprocess.run(
            ["docker", "compose", "-p", self.name, *files, *arguments],
            cwd=ROOT,
            env={**os.environ, **self.variables},
            capture_output=True,
            text=True,
        )
        assert not check or done.returncode == 0, f"{arguments}: {done.stderr[-3000:]}"
        return done

    def up(self, *arguments: str) -> None:
        """Bring it up until everything is healthy; what is not tells why."""
        done = self.compose("up", "-d", "--wait", *arguments, check=False)
        assert done.returncode == 0, f"{done.stderr[-1500:]}\n{self.complaints()}"

    def containers(self) -> list[dict[str, Any]]:
        """Every container, ended ones too."""
        lines = self.compose("ps", "-a", "--format", "json").stdout.splitlines()
        return [json.loads(line) for line in lines]

    def complaints(self) -> str:
        """The last words of whoever is not well."""
        unwell = [c for c in self.containers() if c["Health"] not in ("healthy", "")]
        return "\n".join(
            f"{c['Name']} is {c['Status']}: {docker('logs', '--tail=5', c['Name'], check=False)}"
            for c in unwell
        )

    def logs(self, service: str) -> str:
        """What a service has said."""
        return self.compose("logs", "--no-color", "--no-log-prefix", service).stdout

    def first_line(self, service: str, words: str) -> str:
        """Wait for a line with these words in a service's log."""
        following = ["docker", "logs", "-f", f"{self.name}-{service}-1"]
        with subprocess.Popen(
            following, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as log:
            assert log.stdout is not None
            try:
                return next((line for line in log.stdout if words in line), "")
            finally:
                log.kill()

    def address(self, service: str, port: int) -> str:
        """Where a published port is to be found."""
        return self.compose("port", service, str(port)).stdout.strip()

    def down(self) -> None:
        """End and remove it; afterwards nothing of it is there."""
        self.compose("down", "-v", "--remove-orphans", "-t", "5")
        label = f"label=com.docker.compose.project={self.name}"
        assert docker("ps", "-aq", "--filter", label) == ""
        assert docker("volume", "ls", "-q", "--filter", label) == ""
        assert docker("network", "ls", "-q", "--filter", label) == ""
