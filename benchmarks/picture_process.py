"""Decode pictures in a process with as much memory as an inference container leaves for them."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import IO, Any

from benchmarks.picture_kinds import encoded

HEADROOM_BYTES = 320_000_000 - 200_000_000
"""A device's container (compose/parts.yaml), less an inference service with eight models."""
MALLOC = {"MALLOC_ARENA_MAX": "2", "MALLOC_TRIM_THRESHOLD_": "131072"}
"""As in a container (compose/Dockerfile)."""


class PictureProcess:
    """A process that decodes the pictures it is given, one after the other."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.picture_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | MALLOC,
        )

    def decode(self, content: bytes) -> dict[str, Any]:
        """`refused` (None where it is decoded), `out_of_memory`, `seconds`, `peak_mb`.

        Raises `OSError` or `ValueError` when the process has died.
        """
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(struct.pack("<L", len(content)) + content)
        self._process.stdin.flush()
        result: dict[str, Any] = json.loads(self._process.stdout.readline())
        return result

    def close(self) -> int:
        """End it; its exit status."""
        self._process.communicate()
        return self._process.returncode


def serve(source: IO[bytes]) -> None:
    """Answer each picture on stdin with a line of JSON."""
    from PIL import Image

    from tercet.models import images

    images.decode(encoded(Image.new("RGB", (300, 300)), "PNG"))  # Loads the decoders.
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + HEADROOM_BYTES, used + HEADROOM_BYTES))
    at_rest = _status("VmRSS")
    while prefix := source.read(4):
        content = source.read(*struct.unpack("<L", prefix))
        print(json.dumps(_measured(content, at_rest)), flush=True)


def _measured(content: bytes, at_rest: float) -> dict[str, Any]:
    from tercet.models import images
    from tercet.models.errors import ImageError

    refused, cause = None, None
    with contextlib.suppress(OSError):  # A kernel without it: the peak is that of all so far.
        Path("/proc/self/clear_refs").write_text("5")
    started = time.perf_counter()
    try:
        images.decode(content)
    except ImageError as error:
        refused, cause = str(error), error.__cause__
    return {
        "refused": refused,
        "out_of_memory": isinstance(cause, MemoryError),
        "seconds": time.perf_counter() - started,
        "peak_mb": max(0.0, _status("VmHWM") - at_rest),
    }


def _status(field: str) -> float:
    """A field of this process's status, MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(float(x.split()[1]) / 1000 for x in lines if x.startswith(field))


if __name__ == "__main__":
    serve(sys.stdin.buffer)
