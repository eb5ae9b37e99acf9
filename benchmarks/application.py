"""Verb `application`: the response time that applications see while a new system learns.

They ask the gateways of a `tercet up` without any experience, one device after the other at an even
pace, from the moment that all gateways are ready. Times are theirs, from sending the picture to the
whole answer.
"""

from __future__ import annotations

import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from benchmarks.live_system import SOURCE_TREE
from benchmarks.summary import markdown
from tercet.messaging.broker import free_port
from tercet.models.classifier import photograph
from tercet.models.manifest import PAPER_FAMILY

START_TIMEOUT_S = 300.0
"""Seconds for the system to start; the models may have to be built."""
ANSWER_TIMEOUT_S = 10.0
IN_PROGRESS = 64
"""Requests at once, at most."""
PART_S = 20.0
"""Seconds of one row of the table."""

Row = dict[str, Any]


class Running(Protocol):
    """A process, as far as is needed here."""

    def poll(self) -> int | None:
        """Its exit code; None while it runs."""


def measure(seconds: float, rate: float, goal: str, devices: int) -> list[Row]:
    """Start a system, ask its gateways `rate` times a second in all; one row per request."""
    with new_system(goal, devices) as urls:
        return asked(urls, seconds, rate)


@contextmanager
def new_system(goal: str, devices: int) -> Iterator[list[str]]:
    """A `tercet up` with an empty store; yields the addresses of its gateways, which are ready."""
    first = free_port()
    urls = [f"http://127.0.0.1:{first + k}" for k in range(devices)]
    path = os.pathsep.join(filter(None, (str(SOURCE_TREE), os.environ.get("PYTHONPATH"))))
    options = (
        "--family",
        PAPER_FAMILY,
        "--goal",
        goal,
        "--devices",
        str(devices),
        "--gateway-port",
        str(first),
    )
    with tempfile.TemporaryFile() as messages:
        system = subprocess.Popen(
            [sys.executable, "-m", "tercet.cli", "up", *options],
            stdout=messages,
            stderr=messages,
            env={**os.environ, "PYTHONPATH": path},
        )
        try:
            for url in urls:
                wait_until_ready(url, system)
            yield urls
        finally:
            system.send_signal(signal.SIGINT)
            system.wait(timeout=60)


def wait_until_ready(url: str, system: Running) -> None:
    """Return when a gateway is ready; OSError if it cannot be."""
    end = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < end and system.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/v2/health/ready", timeout=5):
                return
        except OSError:
            time.sleep(0.05)
    raise OSError(f"no gateway is ready at {url}: see `tercet up`")


def asked(urls: Sequence[str], seconds: float, rate: float) -> list[Row]:
    """Ask one gateway after the other at an even pace, whether or not earlier answers have come."""
    picture, begin = photograph(), time.perf_counter()
    with ThreadPoolExecutor(IN_PROGRESS) as pool:
        waiting = []
        for number in range(int(seconds * rate)):
            time.sleep(max(0.0, begin + number / rate - time.perf_counter()))
            waiting.append(pool.submit(_ask, urls[number % len(urls)], picture, begin))
        return [future.result() for future in waiting]


def _ask(url: str, picture: bytes, begin: float) -> Row:
    sent = time.perf_counter()
    request = urllib.request.Request(f"{url}/v1/infer", picture, {"X-Source": "application"})
    try:
        with urllib.request.urlopen(request, timeout=ANSWER_TIMEOUT_S) as response:
            option = json.load(response)["option"]
    except OSError:  # Also a status of refusal.
        option = None
    took = 1000 * (time.perf_counter() - sent)
    return {"at_s": round(sent - begin, 3), "ms": round(took, 2), "option": option}


def parts(rows: list[Row]) -> list[Row]:
    """Each PART_S of a run: requests, how many were not answered, times, options."""
    found = []
    for part in range(int(rows[-1]["at_s"] // PART_S) + 1):
        own = [row for row in rows if row["at_s"] // PART_S == part]
        times = [row["ms"] for row in own if row["option"]]
        found.append(
            {
                "from_s": part * PART_S,
                "requests": len(own),
                "unanswered": len(own) - len(times),
                "mean_ms": round(statistics.fmean(times), 1) if times else None,
                "median_ms": round(statistics.median(times), 1) if times else None,
                "options": Counter(row["option"] for row in own if row["option"]).most_common(3),
            }
        )
    return found


def render(rows: list[Row]) -> str:
    """A Markdown table of the parts of a run."""
    header = ["from, s", "requests", "unanswered", "mean ms", "median ms", "most frequent options"]
    body: list[list[object]] = [
        [
            f"{part['from_s']:.0f}",
            *(part[name] for name in ("requests", "unanswered", "mean_ms", "median_ms")),
            ", ".join(f"{option} {count}" for option, count in part["options"]),
        ]
        for part in parts(rows)
    ]
    return markdown(header, body)


def draw(rows: list[Row], path: Path) -> None:
    """Write a figure: every answer by where it was computed, and the mean of each PART_S."""
    from benchmarks.style import drawing, save

    pyplot = drawing()
    figure, panel = pyplot.subplots(figsize=(7.2, 2.6))
    for tier, name in (("L", "on the device"), ("E", "at the edge"), ("C", "in the cloud")):
        own = [row for row in rows if row["option"] and row["option"].endswith(tier)]
        panel.plot([r["at_s"] for r in own], [r["ms"] for r in own], ".", ms=3, label=name)
    for part in parts(rows):
        ends = (part["from_s"], min(part["from_s"] + PART_S, rows[-1]["at_s"]))
        panel.plot(ends, (part["mean_ms"],) * 2, color="black", linewidth=1.6)
    panel.plot([], [], color="black", label=f"mean of {PART_S:.0f} s")
    panel.set(xlabel="seconds since the start", ylabel="response time, ms", yscale="log")
    ticks = (10, 20, 50, 100, 200, 500, 1000)
    panel.set_yticks(ticks, [str(tick) for tick in ticks])
    panel.minorticks_off()
    panel.set_ylim(min(row["ms"] for row in rows) / 1.5, max(row["ms"] for row in rows) * 2)
    panel.legend(ncols=4, loc="upper right")
    save(figure, path)
    pyplot.close(figure)
