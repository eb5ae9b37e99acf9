"""ARM64 under emulation: the small images build and classify a picture."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator

import pytest

from tests.compose.project import ROOT, docker

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(3600),
    pytest.mark.skipif(not os.environ.get("TERCET_ARM64"), reason="slow: make test-arm64 runs it"),
]

BASE = "python:3.11-slim-bookworm-arm64"
CLASSIFY = """
import json, platform
from pathlib import Path
from tercet.models.classifier import Classifier
classifier = Classifier(Path("/models"))
picture = Path("/app/src/tercet/models/photographs/grace_hopper.jpg").read_bytes()
results = {v: classifier.classify(picture, v) for v in ("d0", "d3", "d7")}
print(json.dumps({
    "machine": platform.machine(),
    "labels": {v: len(s.labels) for v, s in results.items()},
    "compute_ms": {v: round(s.compute_ms) for v, s in results.items()},
}))
"""


@pytest.fixture(scope="module")
def base(engine: None) -> None:
    """The base image for ARM64, and an engine that runs it."""
    if docker("image", "ls", "-q", BASE) == "":
        starter = os.environ.get("TERCET_ENGINE")
        if not starter:
            pytest.skip(f"there is no {BASE}; TERCET_ENGINE names the script that makes it")
        subprocess.run([starter, "up", "--arm64"], check=True)


@pytest.fixture(scope="module")
def models(base: None) -> Iterator[str]:
    """A volume with the models; the files are the same on every platform."""
    volume = "tercet-arm64-models"
    command = ["build", "-q", "-f", str(ROOT / "compose/Dockerfile"), "--target", "models"]
    image = docker(*command, str(ROOT))
    docker(
        "run", "--rm", "-e", "TERCET_MODELS_FAMILY=mobilenet-v1", "-v", f"{volume}:/models", image
    )
    yield volume
    docker("volume", "rm", volume)


def built(target: str) -> str:
    """An image on the ARM64 base."""
    return docker(
        "build",
        *("-q", "-f", str(ROOT / "compose/Dockerfile"), "--target", target),
        *("--build-arg", f"PYTHON_IMAGE={BASE}", str(ROOT)),
    )


def test_the_monitor_starts(base: None) -> None:
    image = built("monitor")
    output = docker(
        "run",
        "--rm",
        image,
        "python",
        "-c",
        "import platform, psutil, tercet.services.monitor"
        ".service; print(platform.machine(), psutil.cpu_count() > 0)",
    )
    assert output == "aarch64 True"


@pytest.mark.parametrize("target", ["inference", "gateway"])
def test_a_picture_is_classified(models: str, target: str) -> None:
    mounted = ("-v", f"{models}:/models:ro")
    result = json.loads(docker("run", "--rm", *mounted, built(target), "python", "-c", CLASSIFY))
    print(f"{target}: {result}")
    assert result["machine"] == "aarch64"
    assert set(result["labels"].values()) == {5}
