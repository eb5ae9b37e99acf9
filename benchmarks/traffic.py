"""Applications of different pace on the gateways of a running system, and what they measured.

Each asks one device's gateway over HTTP: at an even pace, or in bursts of requests at once. A time
is the application's, from sending the picture to the whole answer.
"""

from __future__ import annotations

import json
import statistics
import time
import urllib.request
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from tercet.models.classifier import photograph

ANSWER_TIMEOUT_S = 10.0
IN_PROGRESS = 96
"""Requests at once, at most: two bursts and what others ask meanwhile."""

Row = dict[str, Any]


@dataclass(frozen=True)
class Application:
    """`burst` requests at once, `rate` / `burst` times a second."""

    rate: float
    """Requests a second."""
    burst: int = 1

    @classmethod
    def parse(cls, text: str) -> Application:
        """`RATE` or `RATExBURST`; raises ValueError."""
        rate, _, burst = text.partition("x")
        found = cls(float(rate), int(burst or 1))
        if found.rate <= 0 or found.burst < 1:
            raise ValueError(f"not an application: {text!r}")
        return found

    def times(self, seconds: float) -> list[float]:
        """When it asks, seconds since the start; the first time after half a period."""
        period = self.burst / self.rate
        bursts = int(seconds / period + 0.5)
        return [period * (k + 0.5) for k in range(bursts) for _ in range(self.burst)]


def asked(urls: Sequence[str], applications: Sequence[Application], seconds: float) -> list[Row]:
    """Let every application ask its gateway for so long; one row per request."""
    moments = sorted(
        (at, device)
        for device, application in enumerate(applications)
        for at in application.times(seconds)
    )
    picture, begin = photograph(), time.perf_counter()
    with ThreadPoolExecutor(IN_PROGRESS) as pool:
        waiting = []
        for at, device in moments:
            time.sleep(max(0.0, begin + at - time.perf_counter()))
            waiting.append(pool.submit(_ask, urls[device], device, picture, begin))
        return [future.result() for future in waiting]


def _ask(url: str, device: int, picture: bytes, begin: float) -> Row:
    sent = time.perf_counter()
    request = urllib.request.Request(f"{url}/v1/infer", picture, {"X-Source": "traffic"})
    option = inside_ms = None
    try:
        with urllib.request.urlopen(request, timeout=ANSWER_TIMEOUT_S) as response:
            answer = json.load(response)
            option, inside_ms = answer["option"], answer["response_ms"]
    except OSError:  # Also a status of refusal.
        pass
    took = 1000 * (time.perf_counter() - sent)
    return {
        "at_s": round(sent - begin, 3),
        "device": device,
        "ms": round(took, 2),
        "inside_ms": inside_ms,
        "option": option,
    }


def mean_ms(rows: Sequence[Row], unanswered_ms: float) -> float:
    """Mean over all requests; one without an answer counts as `unanswered_ms`."""
    return statistics.fmean(row["ms"] if row["option"] else unanswered_ms for row in rows)


def by_device(rows: Sequence[Row], devices: int) -> list[Row]:
    """Each device's requests, answers, mean times and most frequent options."""
    found = []
    for device in range(devices):
        own = [row for row in rows if row["device"] == device]
        answered = [row for row in own if row["option"]]
        found.append(
            {
                "device": f"device-{device + 1}",
                "requests": len(own),
                "answered": len(answered),
                "mean_ms": _mean([row["ms"] for row in answered]),
                "inside_ms": _mean([row["inside_ms"] for row in answered]),
                "options": Counter(row["option"] for row in answered).most_common(4),
            }
        )
    return found


def _mean(times: list[float]) -> float | None:
    return round(statistics.fmean(times), 1) if times else None
