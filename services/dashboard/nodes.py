"""Who is there, how they are, and who has died: the nodes of all three tiers."""

from __future__ import annotations

from tercet.schemas.capability import Capability
from tercet.schemas.telemetry import Telemetry
from tercet.services.dashboard.event_log import Journal
from tercet.services.dashboard.sanitise import clip
from tercet.services.dashboard.state_store import StateStore

SILENCE = 2.4
"""Seconds without telemetry, which comes once a second, after which a node is called dead."""
MOST = 1000
"""Nodes at most; who comes later is only counted."""
MAX_VARIANTS = 16
"""Variants of one node at most."""


class Nodes:
    """The section `nodes` of the board. `now`: monotonic seconds; `wall`: seconds since 1970."""

    def __init__(self, board: StateStore, journal: Journal) -> None:
        self._board, self._journal = board, journal
        self._heard: dict[str, float] = {}
        self._left_out: set[str] = set()
        self._away = False
        self.accuracies: dict[str, float] = {}
        """Variant to accuracy in percent, as the nodes say."""

    @property
    def left_out(self) -> int:
        """Nodes that came when there were too many."""
        return len(self._left_out)

    def known(self, node: str, now: float) -> bool:
        """Make room for a node; False when there are too many already."""
        if node in self._heard:
            return True
        if len(self._heard) >= MOST:
            if len(self._left_out) < MOST:
                self._left_out.add(node)
            return False
        self._heard[node] = now
        self._board.put("nodes", node, life="unknown", tier="", home=None)
        return True

    def introduce(self, said: Capability, now: float) -> bool:
        """A node says what it is; False when there is no room for it."""
        if not self.known(said.node, now):
            return False
        accuracies = dict(sorted(said.accuracy_pct.items())[:MAX_VARIANTS])
        self._board.put(
            "nodes",
            said.node,
            tier=said.tier,
            home=said.home,
            variants=[clip(variant) for variant in accuracies],
            workers=said.workers,
            share=said.cpu_share,
            weights=clip(said.weights),
        )
        for variant, percent in accuracies.items():
            if len(self.accuracies) < MAX_VARIANTS or variant in self.accuracies:
                self.accuracies[clip(variant)] = percent
        self._board.put("site", "accuracies", **self.accuracies)
        return True

    def on_telemetry(self, said: Telemetry, now: float, wall: float) -> None:
        """A node says how it is."""
        if not self.known(said.node, now):
            return
        before = self._board.get("nodes", said.node)["life"]
        life = "left" if said.leaving else "alive"
        self._heard[said.node] = now
        self._board.put(
            "nodes",
            said.node,
            life=life,
            cpu=round(said.condition.cpu, 2),
            total=round(said.total_cpu, 2),
            memory=round(said.condition.memory, 2),
            link=round(said.condition.link_ms, 1),
            weak=said.condition.weak,
        )
        if before == "dead" and life == "alive":
            self._journal.say(wall, "alive", f"{said.node} is back")
        if before == "alive" and life == "left":
            self._journal.say(wall, "left", f"{said.node} has left")

    def bus(self, *, away: bool, now: float, wall: float) -> None:
        """The broker went or came back; nobody is dead for having been silent meanwhile."""
        if away == self._away:
            return
        self._away = away
        self._heard = dict.fromkeys(self._heard, now)
        self._board.put("site", "bus", away=away, since=round(wall, 1))
        self._journal.say(wall, "bus", "the bus is away" if away else "the bus is back")

    def look(self, now: float, wall: float) -> None:
        """Time has passed: see who has fallen silent."""
        if self._away:
            return
        for node, heard in self._heard.items():
            if now - heard <= SILENCE:
                continue
            if self._board.get("nodes", node)["life"] in ("alive", "unknown"):
                self._board.put("nodes", node, life="dead", since=round(wall, 1))
                self._journal.say(wall, "dead", f"{node} is dead: no telemetry")
