"""The nodes of all three tiers: which exist, their condition, and which have failed."""

from __future__ import annotations

from tercet.experience.fleet_problems import Problem, problems
from tercet.schemas.capability import Capability
from tercet.schemas.telemetry import Telemetry
from tercet.services.dashboard.event_log import EventLog
from tercet.services.dashboard.sanitise import clip
from tercet.services.dashboard.state_store import StateStore

TELEMETRY_TIMEOUT_S = 2.4
"""Seconds without telemetry, which is sent once a second, after which a node is shown as dead."""
MAX_NODES = 1000
"""Nodes shown; further nodes are only counted."""
MAX_VARIANTS = 64
"""Variants shown per node."""
LOOK_S = 5.0
"""Seconds between two looks at what is missing for decisions."""
LONGEST = 160
"""Characters of an event's text."""


class Nodes:
    """The section `nodes` of the state. `now`: monotonic seconds; `wall`: seconds since 1970."""

    def __init__(self, state: StateStore, events: EventLog) -> None:
        self._state, self._events = state, events
        self._last_seen: dict[str, float] = {}
        self._left_out: set[str] = set()
        self._disconnected = False
        self._capabilities: dict[str, Capability] = {}
        self._problems: frozenset[Problem] = frozenset()
        """What was missing for decisions when it was last looked at..."""
        self._reported: frozenset[Problem] = frozenset()
        """...and what of it has been reported."""
        self._looked = 0.0
        self.accuracies: dict[str, float] = {}
        """Variant to accuracy in percent, as the nodes report it."""

    @property
    def left_out(self) -> int:
        """Nodes that are not shown because MAX_NODES was reached."""
        return len(self._left_out)

    def register(self, node: str, now: float) -> bool:
        """Add a node if it is new; returns False if MAX_NODES is reached."""
        if node in self._last_seen:
            return True
        if len(self._last_seen) >= MAX_NODES:
            if len(self._left_out) < MAX_NODES:
                self._left_out.add(node)
            return False
        self._last_seen[node] = now
        self._state.put("nodes", node, life="unknown", tier="", home=None)
        return True

    def on_capability(self, capability: Capability, now: float) -> bool:
        """Show what a node offers; returns False if MAX_NODES is reached."""
        if not self.register(capability.node, now):
            return False
        self._capabilities[capability.node] = capability
        accuracies = dict(sorted(capability.accuracy_pct.items())[:MAX_VARIANTS])
        self._state.put(
            "nodes",
            capability.node,
            tier=capability.tier,
            home=capability.home,
            variants=[clip(variant) for variant in accuracies],
            workers=capability.workers,
            share=capability.cpu_share,
            weights=clip(capability.weights),
        )
        for variant, percent in accuracies.items():
            if len(self.accuracies) < MAX_VARIANTS or variant in self.accuracies:
                self.accuracies[clip(variant)] = percent
        self._state.put("site", "accuracies", **self.accuracies)
        return True

    def _report_problems(self, now: float, wall: float) -> None:
        """Say once what is missing for decisions, if it still is at the second look."""
        if now - self._looked < LOOK_S:
            return
        self._looked = now
        found = frozenset(problems([*self._capabilities.values()]))
        for one in sorted(found & self._problems - self._reported, key=lambda p: p.about):
            self._events.add(wall, "missing", f"{clip(one.about)}: {one.found[:LONGEST]}")
        self._reported = (self._reported | self._problems) & found
        self._problems = found

    def on_telemetry(self, telemetry: Telemetry, now: float, wall: float) -> None:
        """Show the condition of a node."""
        if not self.register(telemetry.node, now):
            return
        before = self._state.get("nodes", telemetry.node)["life"]
        life = "left" if telemetry.leaving else "alive"
        self._last_seen[telemetry.node] = now
        self._state.put(
            "nodes",
            telemetry.node,
            life=life,
            cpu=round(telemetry.condition.cpu, 2),
            total=round(telemetry.total_cpu, 2),
            memory=round(telemetry.condition.memory, 2),
            link=round(telemetry.condition.link_ms, 1),
            weak=telemetry.condition.weak,
        )
        if before == "dead" and life == "alive":
            self._events.add(wall, "alive", f"{telemetry.node} is back")
        if before == "alive" and life == "left":
            self._events.add(wall, "left", f"{telemetry.node} has left")

    def set_disconnected(self, disconnected: bool, *, now: float, wall: float) -> None:
        """Record that the broker connection was lost or restored.

        Time without a connection does not count as time without telemetry.
        """
        if disconnected == self._disconnected:
            return
        self._disconnected = disconnected
        self._last_seen = dict.fromkeys(self._last_seen, now)
        self._state.put("site", "bus", away=disconnected, since=round(wall, 1))
        text = "the bus is away" if disconnected else "the bus is back"
        self._events.add(wall, "bus", text)

    def apply_timeouts(self, now: float, wall: float) -> None:
        """Mark nodes without telemetry for TELEMETRY_TIMEOUT_S as dead."""
        if self._disconnected:
            return
        self._report_problems(now, wall)
        for node, seen in self._last_seen.items():
            if now - seen <= TELEMETRY_TIMEOUT_S:
                continue
            if self._state.get("nodes", node)["life"] in ("alive", "unknown"):
                self._state.put("nodes", node, life="dead", since=round(wall, 1))
                self._events.add(wall, "dead", f"{node} is dead: no telemetry")
