"""The keys of a site, made by the CLI as users run it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tercet.process.settings import BusSettings
from tests.compose.project import ROOT


def secure(folder: Path, *arguments: str) -> None:
    """`tercet secure …` on a site."""
    command = [
        sys.executable,
        "-m",
        "tercet.cli",
        "secure",
        arguments[0],
        "--site",
        str(folder),
        *arguments[1:],
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def settings(folder: Path, url: str, key: Path, connect_timeout: float = 10) -> BusSettings:
    """Settings of a client outside of all containers, with one of the site's keys."""
    return BusSettings(
        bus_url=url,
        bus_credentials=key,
        bus_ca=folder / "ca" / "ca.pem",
        connect_patience=connect_timeout,
    )
