"""A row's requests that wait for each other: how many, and which effects they have on its service.

How many follows from their arrivals and the place's measured compute, not from where they ran: what
was learned of bursts at one place holds at those that have seen none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from tercet.rl.costs.effects import key
from tercet.rl.experience import QUEUE_SERVICE_MS

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


def log_requests(
    devices: Sequence[str], queue: Mapping[str, tuple[float, ...]], service_ms: Floats
) -> Floats:
    """Logarithm of how many requests of its own a row's option works on until one is done, [n, O].

    0 where none waits for another. `queue` is that of a state, `service_ms` [n, O] what the node of
    each option takes for one.
    """
    found = np.zeros(service_ms.shape)
    known = np.log(np.array(QUEUE_SERVICE_MS))
    for row, device in enumerate(devices):
        if (before := queue.get(device)) is not None:
            found[row] = np.log1p(np.interp(np.log(service_ms[row]), known, before))
    return found


def effects(tier: Integers, number: Integers, value: Floats) -> list[tuple[Integers, Floats]]:
    """Keys and values of the effects on the service of nodes (numbers), all [R]."""
    return [(key("own", tier), value), (key("node.own", number), value)]


def bucket(value: Floats) -> Integers:
    """About how many requests that are, as a number, [R]."""
    return np.rint(2.0 * value).astype(np.int64)
