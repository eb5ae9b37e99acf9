"""How fast each variant is on this node, how long it takes to load, and what memory it needs.

Each variant is measured in a process of its own, `python -m tercet.models.profiling DIRECTORY VARIANT THREADS
REPEATS`, for memory that was once touched is seldom given back. Needs neither torch nor onnx.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from tercet.models import worker_processes
from tercet.models.errors import ModelError
from tercet.models.images import PHOTOGRAPHS, decode
from tercet.models.manifest import Manifest, load
from tercet.models.session import Session

WARM_UP = 3
PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Speed:
    """One variant on this node; times are of one picture, decoded already, milliseconds."""

    threads: int
    """N."""
    median_1_ms: float
    p95_1_ms: float
    median_n_ms: float
    p95_n_ms: float
    decode_ms: float
    """Median time to turn a photograph into the model's input."""
    cold_ms: float
    """From nothing loaded to the first answer: opening the session and one run."""
    memory_mb: float
    """Growth of the process by loading and running it with one thread."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A variant's speed and accuracy, and whether another one is better in both."""

    speed: Speed
    accuracy_pct: float
    dominated_by: str | None
    """A variant that is faster (median, one thread) and more accurate; None: there is none."""


def profile(
    directory: Path,
    variants: Sequence[str] | None = None,
    threads: int | None = None,
    repeats: int = 30,
    progress: Callable[[str, str], None] = lambda _variant, _stage: None,
) -> dict[str, Judged]:
    """Measure variants (default: all) one after the other. Raises `ModelError`."""
    manifest = load(directory, variants)
    names = list(variants or manifest.variants)
    found = {}
    for name in names:
        progress(name, "measure")
        found[name] = _apart(manifest, name, threads or os.cpu_count() or 1, repeats)
    accuracy = {name: manifest.entry(name).accuracy_pct for name in names}
    return judge(found, accuracy)


def judge(speeds: Mapping[str, Speed], accuracy: Mapping[str, float]) -> dict[str, Judged]:
    """Find who is dominated: no goal and no load would ever want it on this node alone."""
    judged = {}
    for name, speed in speeds.items():
        better = [
            other
            for other, its in speeds.items()
            if its.median_1_ms < speed.median_1_ms and accuracy[other] > accuracy[name]
        ]
        best = max(better, key=accuracy.__getitem__, default=None)
        judged[name] = Judged(speed, accuracy[name], best)
    return judged


def _apart(manifest: Manifest, name: str, threads: int, repeats: int) -> Speed:
    told = [str(manifest.directory), name, str(threads), str(repeats)]
    done = subprocess.run(
        [sys.executable, "-m", "tercet.models.profiling", *told],
        capture_output=True, text=True, check=False, env=worker_processes.environment(),
    )  # fmt: skip
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise ModelError(f"measuring {name} failed: {last}")
    return Speed(**json.loads(done.stdout))


def measure(manifest: Manifest, name: str, threads: int, repeats: int) -> Speed:
    """Measure in this process, which has not loaded a model before."""
    path, entry = manifest.path(name), manifest.entry(name)
    picture = min(PHOTOGRAPHS.glob("*.jpg")).read_bytes()
    decoding = _times(lambda: decode(picture, entry.input_px, entry.normalisation), repeats)
    pixels = decode(picture, entry.input_px, entry.normalisation)
    before, start = _resident(), time.perf_counter()
    session = Session(path)
    session.run(pixels)
    cold = (time.perf_counter() - start) * 1000
    one = _times(lambda: session.run(pixels), repeats)
    grown = (_resident() - before) / 1e6
    many = one
    if threads > 1:
        wide = Session(path, threads=threads)
        many = _times(lambda: wide.run(pixels), repeats)
    (median_1, p95_1), (median_n, p95_n) = one, many
    facts = (median_1, p95_1, median_n, p95_n, decoding[0], cold, grown)
    return Speed(threads, *(round(fact, 3) for fact in facts))


def _times(work: Callable[[], object], repeats: int) -> tuple[float, float]:
    """Median and 95th percentile, milliseconds, warm."""
    for _ in range(WARM_UP):
        work()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append((time.perf_counter() - start) * 1000)
    median, p95 = np.percentile(times, [50, 95])
    return float(median), float(p95)


def _resident() -> int:
    """Bytes of this process in memory; the most it ever had where the kernel does not say."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE
    except OSError:
        import resource  # not on every system

        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def main(arguments: list[str]) -> int:
    """One line of JSON."""
    directory, name, threads, repeats = arguments
    try:
        manifest = load(Path(directory), [name])
        print(json.dumps(asdict(measure(manifest, name, int(threads), int(repeats)))))
    except ModelError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
