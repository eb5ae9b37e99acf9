"""Trials within a budget that outlives the parameters they are chosen by."""

from __future__ import annotations

import numpy as np

from tercet.rl.hybrid import Decision, Explorer
from tercet.rl.hybrid.policy_parameters import Probes
from tercet.rl.hybrid.trying import tried
from tercet.rl.options import Option
from tercet.rl.planning.probing import Probing
from tercet.rl.platform import decode

UNLIMITED = 1000.0
"""Share that limits nothing."""


class BudgetedExploration:
    """The exploration of one process: its budget, and what its trials were found to cost."""

    def __init__(self, share: float | None) -> None:
        """`share`: what trials may cost in the long run, of the expected time; None: no limit."""
        self._limited = share is not None
        self._explorer = Explorer(UNLIMITED if share is None else share)
        self._probing = Probing()
        self._options: tuple[Option, ...] = ()
        self._window_ms: float | None = None
        """Expected average of the greedy assignment in the last decision."""
        self._spent = 0.0
        """What its trials cost in one window, in expected costs of a window."""

    def choose(
        self,
        greedy: Decision,
        rng: np.random.Generator,
        probes: Probes = (),
        held: tuple[int, float] = (0, 0.0),
    ) -> dict[str, Option]:
        """The assignment to execute: with trials that are worth their cost, or the greedy one.

        `probes`: nodes that may be left out once, to find out whether load moves their condition.
        `held`: for how long the latest trials stayed in force, as `DecisionContext.held`.
        """
        windows, shares = held
        self._explorer.saved += self._explorer.share * windows - self._spent * shares
        self._spent = 0.0
        if greedy.priced is None:
            return {}
        if greedy.platform.options != self._options:
            self._options = greedy.platform.options
            self._explorer.surcharge.clear()  # It counts options by their position.
        self._window_ms = greedy.average_ms
        self._probing.open = list(probes)
        table, problem = greedy.priced.table, greedy.priced.problem
        left = self._explorer.saved + self._explorer.share
        found = tried(self._explorer, self._probing, table, problem, greedy.solution, rng)
        self._spent = max(left - self._explorer.saved, 0.0)
        return decode(greedy.platform, table.devices, found.choice)

    @property
    def left_ms(self) -> float | None:
        """Milliseconds of average response time that may be spent; None without a limit."""
        if not self._limited or self._window_ms is None:
            return None
        return float(max(0.0, self._explorer.saved) * self._window_ms)

    @property
    def held_back(self) -> int:
        """Decisions in which a worthwhile trial was too expensive."""
        return self._explorer.held_back
