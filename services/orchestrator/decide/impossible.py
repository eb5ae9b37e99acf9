"""What no outcome can be: refused at the door, dead-lettered, and not learned from.

There is no other suspicion: an honest device on a noisy host reports surprising times, too
(docs/decisions/0041).
"""

from __future__ import annotations

import math

from tercet.schemas.outcome import Outcome

ROUNDING_MS = 50.0
"""Tolerance for clocks, and for the time between a message and its handling."""
LONGEST_MS = 600_000.0
"""Ten minutes: nothing that is longer is a response time."""


def impossible(outcome: Outcome, waited_ms: float) -> str:
    """Why an outcome is impossible; empty when it is not.

    It arrived `waited_ms` after its round was opened, by the receiver's clock: virtual times may be
    longer.
    """
    whole = outcome.response_ms
    if not 0.0 < whole <= LONGEST_MS:
        return "impossible: not a time that a request takes"
    if not outcome.simulated and whole > waited_ms + ROUNDING_MS:
        return "impossible: longer than the time since its round began"
    parts = outcome.decision_ms + outcome.network_ms + outcome.queue_ms + outcome.compute_ms
    tried = math.fsum(attempt.ms for attempt in outcome.attempts)
    if max(parts, outcome.decision_ms + tried) > whole + max(1.0, 0.01 * whole):
        return "impossible: its parts are longer than the whole"
    return ""
