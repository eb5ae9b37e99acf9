"""Who is there, what they can do, and in what condition they are."""

from __future__ import annotations

from tercet.experience.translation import fleet_of
from tercet.schemas.capability import Capability
from tercet.schemas.fleet import Condition, Fleet
from tercet.schemas.telemetry import Telemetry

STRANGERS = 1000
"""Nodes whose telemetry is remembered before they say what they can do."""
RETRY = 4
"""A node that did not answer is tried again after so many times the `absent` seconds."""


class NodeRegistry:
    """Built from capability and telemetry messages; time is passed in, in seconds."""

    def __init__(self, absent: float, forget: float = 3600.0) -> None:
        """A node silent for `absent` seconds is gone, and after `forget` seconds is forgotten."""
        self._absent, self._forget = absent, forget
        self._capabilities: dict[str, Capability] = {}
        self._telemetry: dict[str, Condition] = {}
        self._heard: dict[str, float] = {}
        self._known: dict[str, float] = {}
        """When a node last said or, at start, was recalled to have said what it can do."""
        self._silent: dict[str, float] = {}
        """Nodes that did not answer a picture, and when that was noticed."""
        self._fleet: Fleet | None = None

    @property
    def fleet(self) -> Fleet | None:
        """All devices met and not forgotten, present or not; None before the first."""
        return self._fleet

    @property
    def nodes(self) -> int:
        """Nodes that said what they can do."""
        return len(self._capabilities)

    def can(self, capability: Capability, now: float, *, recalled: bool = False) -> bool:
        """A node said what it can do; False if with it no option would be left for anyone.

        What is `recalled` was said at some time before, and does not make a node present.
        """
        joined = {**self._capabilities, capability.node: capability}
        fleet = fleet_of(joined.values())
        if fleet is None and self._fleet is not None:
            return False
        self._capabilities, self._fleet = joined, fleet
        self._known[capability.node] = now
        self._silent.pop(capability.node, None)
        if not recalled:
            self._heard[capability.node] = now
        return True

    def looks(self, telemetry: Telemetry, now: float) -> None:
        """A node said how it is; of those who never said what they can do, some are remembered."""
        if (
            telemetry.node not in self._capabilities
            and len(self._telemetry) >= self.nodes + STRANGERS
        ):
            return
        self._telemetry[telemetry.node] = telemetry.condition
        if telemetry.leaving:
            self._heard.pop(telemetry.node, None)
        else:
            self._heard[telemetry.node] = now

    def forget(self, now: float) -> tuple[str, ...]:
        """Drop nodes not heard of for too long, so that the fleet does not grow for ever.

        One that comes back says again what it can do. Returns who was dropped.
        """
        last = {n: max(self._heard.get(n, -1e9), self._known[n]) for n in self._capabilities}
        gone = tuple(node for node, when in last.items() if now - when > self._forget)
        for node in gone:
            for kept in (self._capabilities, self._telemetry, self._heard, self._known):
                kept.pop(node, None)
        if gone:
            self._fleet = fleet_of(self._capabilities.values())
        return gone

    def alive(self, node: str, now: float) -> None:
        """A node was heard of in another way; one that never said what it can do is nobody yet."""
        if node in self._capabilities:
            self._heard[node] = now

    def unanswered(self, node: str, now: float) -> None:
        """A picture sent to a node found nobody to answer."""
        self._silent[node] = now

    def unavailable(self, now: float) -> set[str]:
        """Nodes that are better not sent anything for a while; then they are tried again."""
        self._silent = {n: t for n, t in self._silent.items() if now - t <= RETRY * self._absent}
        return set(self._silent)

    def active(self, now: float) -> tuple[str, ...]:
        """Devices present: known, and heard of lately."""
        devices = self._fleet.devices if self._fleet else ()
        return tuple(d for d in devices if now - self._heard.get(d, -1e9) <= self._absent)

    def conditions(self) -> dict[str, Condition]:
        """Last known condition of every node."""
        return dict(self._telemetry)
