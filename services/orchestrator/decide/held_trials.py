"""A trial stays in force until its device has reported on it: requests come at their own pace."""

from __future__ import annotations

from collections.abc import Hashable, Mapping

LONGEST = 30
"""Windows for which a trial is held, at most."""
MIN_REQUESTS = 1.0
"""Requests that a device must be expected to make in so many windows: else nothing is tried."""

NO_DEMAND: Mapping[str, float] = {}


class HeldTrials:
    """The options on trial that are in force, and which of them nobody has reported on yet."""

    def __init__(self) -> None:
        self._greedy: dict[str, str] = {}
        self._pending: dict[str, str] = {}
        self._begun: dict[str, float] = {}
        """Device that began a trial to its requests per second."""
        self.cost: tuple[int, float] = (0, 0.0)
        """As `DecisionContext.held`, since `start`."""
        self._windows = 0
        self._conditions: Hashable = None

    def start(
        self,
        assigned: dict[str, str],
        greedy: dict[str, str],
        conditions: Hashable,
        demand: Mapping[str, float] = NO_DEMAND,
    ) -> None:
        """These options are in force, under these conditions."""
        self._greedy = greedy
        self._pending = {d: o for d, o in assigned.items() if greedy.get(d, o) != o}
        self._windows, self._conditions = 0, conditions
        self._begun = {device: demand.get(device, 1.0) for device in self._pending}
        self.cost = (0, 0.0)

    def reported(self, device: str, option: str) -> None:
        """A request was tried as assigned."""
        if self._pending.get(device) == option:
            del self._pending[device]

    def held(self, conditions: Hashable) -> dict[str, str] | None:
        """The assignment of one more window, in which only pending trials are held; None: decide.

        A trial that was reported on ends, though others are still held.
        """
        self._windows += 1
        if not self._pending or self._windows >= LONGEST or conditions != self._conditions:
            return None
        pending = sum(self._begun[device] for device in self._pending)
        share = pending / max(sum(self._begun.values()), 1e-9)
        self.cost = (self.cost[0] + 1, self.cost[1] + share)
        return {**self._greedy, **self._pending}


def asking(demand: dict[str, float], window_s: float) -> frozenset[str]:
    """The devices that ask often enough for a trial to teach something."""
    least = MIN_REQUESTS / (LONGEST * window_s)
    return frozenset(device for device, rate in demand.items() if rate >= least)
