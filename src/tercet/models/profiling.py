"""Measure speed, loading time and memory of each variant on this node.

Each variant is measured in a separate process, because a process rarely returns memory: `python -m
tercet.models.profiling DIRECTORY VARIANT THREADS REPEATS`. Needs neither torch nor onnx.
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
from tercet.models.images import decode, reference_photograph
from tercet.models.manifest import Manifest, load
from tercet.models.tasks import opened

WARM_UP = 3
PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Speed:
    """One variant on this node; times are of one decoded picture to its answer, milliseconds."""

    threads: int
    """N, for `median_n_ms` and `p95_n_ms`."""
    median_1_ms: float
    p95_1_ms: float
    median_n_ms: float
    p95_n_ms: float
    decode_ms: float
    """Median time to turn a photograph into the model's input."""
    cold_ms: float
    """Time to open the session and answer once."""
    memory_mb: float
    """Growth of the process by loading and running the model with one thread."""


@dataclass(frozen=True, slots=True)
class ProfiledVariant:
    """A variant's speed and accuracy, and whether another one is better in both."""

    speed: Speed
    accuracy_pct: float
    dominated_by: str | None
    """A variant that is faster (median, one thread) and more accurate, if any."""


def profile(
    directory: Path,
    variants: Sequence[str] | None = None,
    threads: int | None = None,
    repeats: int = 30,
    progress: Callable[[str, str], None] = lambda _variant, _stage: None,
) -> dict[str, ProfiledVariant]:
    """Measure variants (default: all) one after the other. Raises `ModelError`."""
    manifest = load(directory, variants)
    names = list(variants or manifest.variants)
    found = {}
    for name in names:
        progress(name, "measure")
        found[name] = _measure_in_process(manifest, name, threads or os.cpu_count() or 1, repeats)
    accuracy = {name: manifest.entry(name).accuracy_pct for name in names}
    return find_dominated(found, accuracy)


def find_dominated(
    speeds: Mapping[str, Speed], accuracy: Mapping[str, float]
) -> dict[str, ProfiledVariant]:
    """Mark dominated variants: on this node alone no goal and no load would choose them."""
    profiled = {}
    for name, speed in speeds.items():
        better = [
            other
            for other, candidate in speeds.items()
            if candidate.median_1_ms < speed.median_1_ms and accuracy[other] > accuracy[name]
        ]
        best = max(better, key=accuracy.__getitem__, default=None)
        profiled[name] = ProfiledVariant(speed, accuracy[name], best)
    return profiled


def _measure_in_process(manifest: Manifest, name: str, threads: int, repeats: int) -> Speed:
    command = worker_processes.python(
        "tercet.models.profiling", str(manifest.directory), name, str(threads), str(repeats)
    )
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env=worker_processes.environment()
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise ModelError(f"measuring {name} failed: {last}")
    return Speed(**json.loads(done.stdout))


def measure(manifest: Manifest, name: str, threads: int, repeats: int) -> Speed:
    """Measure in this process, which must not have loaded a model before."""
    decode(reference_photograph())  # The memory of Pillow is not the model's.
    before, start = _resident(), time.perf_counter()
    model = opened(manifest, name)
    opening = time.perf_counter() - start
    sample = model.sample()
    prepared = model.prepared(sample)
    start = time.perf_counter()
    model.answered([prepared])
    cold = (opening + time.perf_counter() - start) * 1000
    one = _times(lambda: model.answered([prepared]), repeats)
    grown = (_resident() - before) / 1e6
    many = one
    if threads > 1:
        wide = opened(manifest, name, threads=threads)
        many = _times(lambda: wide.answered([prepared]), repeats)
    decoding = _times(lambda: model.prepared(sample), repeats)
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
    """Resident bytes of this process; its peak where there is no /proc."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE
    except OSError:
        import resource  # Not available on every system.

        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def main(arguments: list[str]) -> int:
    """Print one line of JSON; return the exit status."""
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
