"""onnxruntime sends no telemetry."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path


def test_the_installed_version_has_no_telemetry() -> None:
    major, minor = version("onnxruntime").split(".")[:2]
    assert (int(major), int(minor)) < (1, 29)


def test_telemetry_is_switched_off_for_other_versions(tmp_path: Path) -> None:
    """With telemetry on, its import alone writes a session file to the temporary directory."""
    environment = {k: v for k, v in os.environ.items() if k not in ("ORT_DISABLE_TELEMETRY", "CI")}
    script = "import os, tercet.models.session; print(os.environ['ORT_DISABLE_TELEMETRY'])"
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**environment, "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "1"
    assert list(tmp_path.iterdir()) == []
