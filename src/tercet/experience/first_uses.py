"""Which requests met a node that had not run their variant before, as far as is known here.

Such a node loads the model, fills its caches, opens a connection: that is paid once, and says
little of what the variant costs there. One such measurement can make the best place look useless
for long.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tercet.schemas.outcome import Outcome


@dataclass
class FirstUses:
    """Of one process's life: after a restart, each place is taken to be new once more."""

    _answered: dict[tuple[str, str], float] = field(default_factory=dict)
    """Node and variant to when the first answer was reported, seconds on the caller's clock."""

    def is_first(self, outcome: Outcome, now: float) -> bool:
        """Whether no answer of its place was known when its request was made; enter the outcome.

        Times of a simulated world are virtual: it has no first uses.
        """
        if outcome.simulated:
            return False
        place = outcome.node, outcome.executed.partition("@")[0]
        answered = self._answered.setdefault(place, now)
        return now - outcome.response_ms / 1000 < answered
