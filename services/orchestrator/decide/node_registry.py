"""The nodes: which there are, what they can run, in what condition they are, who is present."""

from __future__ import annotations

from tercet.experience.fleet_families import conflict
from tercet.experience.fleets import fleet_of
from tercet.schemas.capability import Capability
from tercet.schemas.fleet import Condition, Fleet
from tercet.schemas.telemetry import Telemetry

MAX_UNKNOWN = 1000
"""Nodes whose telemetry is kept before they have published a capability."""
RETRY = 4
"""A node that did not answer is tried again after so many times the `absent` seconds."""


class NodeRegistry:
    """Built from capability and telemetry messages; time is passed in, in seconds."""

    def __init__(
        self, absent: float, forget: float = 3600.0, deadline_ms: float | None = None
    ) -> None:
        """After `absent` seconds without a message a node is absent, after `forget` removed.

        `deadline_ms`: time after which an answer is not in time; None: it always is.
        """
        self._absent, self._forget, self._deadline_ms = absent, forget, deadline_ms
        self._capabilities: dict[str, Capability] = {}
        self._telemetry: dict[str, Condition] = {}
        self._last_message: dict[str, float] = {}
        self._last_capability: dict[str, float] = {}
        """When a capability was last received, or read from the stream at start."""
        self._unanswered: dict[str, float] = {}
        """Nodes that did not answer a picture, and when that was reported."""
        self._fleet: Fleet | None = None
        self.default_goals: dict[str, str] = {}
        """Family to the goal that its manifest asks for, where no operator sets one."""
        self.only_family = ""
        """Name of the only family; empty where there are several, or none has a name."""

    @property
    def fleet(self) -> Fleet | None:
        """All devices that were not removed, present or not; None before the first."""
        return self._fleet

    @property
    def nodes(self) -> int:
        """Nodes that have published a capability."""
        return len(self._capabilities)

    def capability(self, node: str) -> Capability | None:
        """The last capability of a node."""
        return self._capabilities.get(node)

    def add_capability(self, capability: Capability, now: float, *, recalled: bool = False) -> bool:
        """Enter a capability; False if it is refused.

        One that is `recalled` was published before, and does not make the node present. A cloud
        takes the place of one that is absent.
        """
        if self.refusal(capability, now):
            return False
        replaced = self._other_clouds(capability)
        kept = {n: c for n, c in self._capabilities.items() if n not in replaced}
        self._capabilities = {**kept, capability.node: capability}
        self._fleet = self._joined(self._capabilities)
        self._last_capability[capability.node] = now
        self._unanswered.pop(capability.node, None)
        if not recalled:
            self._last_message[capability.node] = now
        return True

    def refusal(self, capability: Capability, now: float) -> str:
        """Why a capability is refused: a fleet has one cloud, and keeps an option; else empty."""
        for cloud in self._other_clouds(capability):
            if self._is_present(cloud, now):
                return f"a second cloud: {cloud} is present, and a fleet has one"
        others = [c for c in self._capabilities.values() if c.node != capability.node]
        if reason := conflict(others, capability):
            return reason
        joined = {**self._capabilities, capability.node: capability}
        if self._fleet is not None and fleet_of(joined.values()) is None:
            return "no option would remain for anyone"
        return ""

    def _other_clouds(self, capability: Capability) -> tuple[str, ...]:
        """Clouds of another name than this one's."""
        if capability.tier != "cloud":
            return ()
        known = self._capabilities.values()
        return tuple(c.node for c in known if c.tier == "cloud" and c.node != capability.node)

    def _is_present(self, node: str, now: float) -> bool:
        return now - self._last_message.get(node, -1e9) <= self._absent

    def _joined(self, capabilities: dict[str, Capability]) -> Fleet | None:
        self._enter_families(capabilities)
        fleet = fleet_of(capabilities.values())
        if fleet is None or self._deadline_ms is None:
            return fleet
        return fleet.model_copy(update={"deadline_ms": self._deadline_ms})

    def _enter_families(self, capabilities: dict[str, Capability]) -> None:
        offers = [(f, o) for c in capabilities.values() for f, o in c.families.items()]
        self.default_goals = {family: offer.goal for family, offer in offers if offer.goal}
        names = {family for family, _ in offers}
        self.only_family = names.pop() if len(names) == 1 else ""

    def add_telemetry(self, telemetry: Telemetry, now: float) -> None:
        """Enter a node's condition; of nodes without a capability only so many are kept."""
        known = telemetry.node in self._capabilities
        if not known and len(self._telemetry) >= self.nodes + MAX_UNKNOWN:
            return
        self._telemetry[telemetry.node] = telemetry.condition
        if telemetry.leaving:
            self._last_message.pop(telemetry.node, None)
        else:
            self._last_message[telemetry.node] = now

    def remove_absent(self, now: float) -> tuple[str, ...]:
        """Remove nodes that are absent for too long, so that the fleet does not grow for ever.

        One that returns publishes its capability again. Returns those removed.
        """
        last = {
            node: max(self._last_message.get(node, -1e9), self._last_capability[node])
            for node in self._capabilities
        }
        gone = tuple(node for node, when in last.items() if now - when > self._forget)
        for node in gone:
            self._capabilities.pop(node, None)
            self._telemetry.pop(node, None)
            self._last_message.pop(node, None)
            self._last_capability.pop(node, None)
        if gone:
            self._fleet = self._joined(self._capabilities)
        return gone

    def mark_present(self, node: str, now: float) -> None:
        """Another message of a node was received; it counts once the capability is known."""
        if node in self._capabilities:
            self._last_message[node] = now

    def mark_unanswered(self, node: str, now: float) -> None:
        """A picture that was sent to a node was not answered."""
        self._unanswered[node] = now

    def unavailable(self, now: float) -> frozenset[str]:
        """Nodes to avoid for a while after they did not answer."""
        limit = RETRY * self._absent
        self._unanswered = {n: t for n, t in self._unanswered.items() if now - t <= limit}
        return frozenset(self._unanswered)

    def active(self, now: float) -> tuple[str, ...]:
        """Devices that are present."""
        devices = self._fleet.devices if self._fleet else ()
        return tuple(d for d in devices if self._is_present(d, now))

    def conditions(self) -> dict[str, Condition]:
        """Last condition of every node."""
        return dict(self._telemetry)
