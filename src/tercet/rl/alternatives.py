"""Where else a device's requests may run, best first, if the node decided on does not answer."""

from __future__ import annotations

import math
from collections.abc import Mapping

from tercet.rl.options import Option
from tercet.rl.platform import Platform


def ranked_alternatives(
    platform: Platform,
    device: str,
    chosen: Option,
    expected_ms: Mapping[Option, float],
    required: float,
) -> tuple[Option, ...]:
    """At most one option for each node other than that of `chosen`, the fastest expected first.

    On each node it is the fastest of those that are as accurate as `required` (percent) or as
    `chosen`, whichever is less: a fallback must not cost more accuracy than a decision may. Without
    any, it is the node's most accurate. Options without an expectation come last.
    """
    accuracy = platform.accuracy
    least = min(required, accuracy.get(chosen.variant, 0.0)) - 1e-9
    offered: dict[str, list[Option]] = {}
    for option in platform.options:
        if platform.offers(device, option):
            offered.setdefault(platform.node(device, option), []).append(option)
    offered.pop(platform.node(device, chosen), None)

    def ms(option: Option) -> float:
        return expected_ms.get(option, math.inf)

    best = []
    for options in offered.values():
        accurate = [option for option in options if accuracy[option.variant] >= least]
        if accurate:
            best.append(min(accurate, key=lambda o: (ms(o), -accuracy[o.variant])))
        else:
            best.append(max(options, key=lambda o: (accuracy[o.variant], -ms(o))))
    return tuple(sorted(best, key=lambda o: (ms(o), platform.options.index(o))))
