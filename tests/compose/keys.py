"""A site's keys for the tests in containers, made by the verb that users run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tercet.process.settings import BusSettings
from tests.compose.project import ROOT


def secure(folder: Path, *words: str) -> None:
    """`tercet secure …` on a site."""
    command = [
        sys.executable,
        "-m",
        "tercet.cli",
        "secure",
        words[0],
        "--site",
        str(folder),
        *words[1:],
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def settings(folder: Path, url: str, key: Path, patience: float = 10) -> BusSettings:
    """How a client outside of all containers comes in, with one of the site's keys."""
    return BusSettings(
        bus_url=url,
        bus_credentials=key,
        bus_ca=folder / "ca" / "ca.pem",
        connect_patience=patience,
    )
