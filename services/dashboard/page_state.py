"""The state of the page: messages go in, a board of what is shown comes out. No clock, no bus.

`now` is always seconds of one monotonic clock, `wall` seconds since 1970 for what people read.
Whatever a message says is bounded here: its numbers are finite by schema, its words are clipped,
and there are so many nodes, policies and options at most.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tercet.rl.goal import parse_goal, required_accuracy
from tercet.schemas import Message
from tercet.schemas.capability import Capability
from tercet.schemas.decision import Decision
from tercet.schemas.experience import Experience
from tercet.schemas.exploration import Exploration
from tercet.schemas.goal import GoalSet
from tercet.schemas.learning import Learning
from tercet.schemas.outcome import Outcome
from tercet.schemas.parameters import Parameters
from tercet.schemas.reset import Reset
from tercet.schemas.round import Round
from tercet.schemas.telemetry import Telemetry
from tercet.schemas.truth import Truth
from tercet.schemas.worker import Worker
from tercet.services.dashboard.baselines import Baselines
from tercet.services.dashboard.event_log import Journal
from tercet.services.dashboard.nodes import Nodes
from tercet.services.dashboard.request_history import Requests
from tercet.services.dashboard.sanitise import clip
from tercet.services.dashboard.state_store import StateStore
from tercet.services.dashboard.time_series import COLUMNS, Row, Series
from tercet.services.dashboard.training_progress import Lessons

LEARNED = ("explore", "greedy")
"""Policies whose outcomes are our own; others are there to be compared with."""


class PageState:
    """Everything the page knows."""

    def __init__(self) -> None:
        self.board = StateStore()
        self.series = Series()
        self.journal = Journal(self.board)
        self._lessons = Lessons(self.board, self.series)
        self._rivals = Baselines()
        self._requests: dict[str, Requests] = {}
        self.nodes = Nodes(self.board, self.journal)
        self._compared = ""
        """Id of the round in which a fixed policy is evaluated, if it is one."""
        self._counted = {"decisions": 0, "outcomes": 0, "malformed": 0}
        self._handlers: dict[type[Message], Callable[[Any, float, float], None]] = {
            Capability: self._on_capability,
            Telemetry: self.nodes.on_telemetry,
            Decision: self._on_decision,
            Outcome: self._on_outcome,
            Round: self._on_round,
            Experience: self._on_experience,
            GoalSet: self._on_goal,
            Exploration: self._on_exploration,
            Parameters: self._lessons.on_parameters,
            Worker: self._lessons.on_worker,
            Learning: self._lessons.on_learning,
            Truth: self._lessons.on_truth,
            Reset: self._on_reset,
        }

    @property
    def kinds(self) -> tuple[type[Message], ...]:
        """What it wants to hear."""
        return tuple(self._handlers)

    def hear(self, message: Message, now: float, wall: float) -> None:
        """Take one message in."""
        self._handlers[type(message)](message, now, wall)

    def malformed(self, subject: str) -> None:
        """Something came that is no message of ours."""
        self._counted["malformed"] += 1
        self.board.put("site", "traffic", last_malformed=clip(subject))

    def look(self, now: float, wall: float) -> None:
        """Time has passed: see who has fallen silent, and how much was heard."""
        self.board.put("site", "traffic", left_out=self.nodes.left_out, **self._counted)
        self.nodes.look(now, wall)
        self._lessons.look(now)

    def second(self, wall: float) -> Row:
        """Close the row of this second."""
        self.series.begin(self._required())
        rivals = self._rivals.records()
        for name in self.board.section("policies").keys() - rivals.keys():
            self.board.drop("policies", name)
        for name, record in rivals.items():
            self.board.put("policies", name, **record)
        return self.series.close(wall)

    def whole(self) -> dict[str, Any]:
        """Everything, for a page that has just opened."""
        names = ("site", "nodes", "devices", "policies", "members", "workers", "journal")
        sections = {name: self.board.section(name) for name in names}
        return {**sections, "columns": COLUMNS, "rows": list(self.series.rows)}

    def device(self, name: str) -> dict[str, Any] | None:
        """What the page of one device shows; None for a device that nobody knows."""
        if name not in self.board.section("devices"):
            return None
        requests = self._requests.get(name, Requests())
        return {
            "device": name,
            **self.board.get("devices", name),
            "accuracies": self.nodes.accuracies,
            "requests": requests.last(),
            "measured": requests.measured(),
        }

    def _required(self) -> float | None:
        """The average accuracy in percent that the goal asks for, once that is known."""
        goal, accuracies = self.board.get("site", "goal").get("goal"), self.nodes.accuracies
        if goal is None or (goal == "max" and not accuracies):
            return None
        return required_accuracy(parse_goal(goal), accuracies.values())

    def _on_capability(self, said: Capability, now: float, wall: float) -> None:
        if not self.nodes.introduce(said, now):
            return
        if said.tier == "device" and not self.board.get("devices", said.node):
            self.board.put("devices", said.node, option=None, node=None, ms=None, n=0)
        self._rivals.capability(said)

    def _on_decision(self, said: Decision, now: float, wall: float) -> None:
        self._counted["decisions"] += 1
        if not self.nodes.known(said.device, now):
            return
        self.board.put(
            "devices",
            said.device,
            option=said.option,
            node=said.node,
            policy=clip(said.policy),
            version=said.policy_version,
        )

    def _on_outcome(self, said: Outcome, now: float, wall: float) -> None:
        self._counted["outcomes"] += 1
        if not self.nodes.known(said.device, now):
            return
        requests = self._requests.setdefault(said.device, Requests())
        requests.add(said)
        self.board.put(
            "devices",
            said.device,
            ms=round(said.response_ms, 1),
            executed=said.executed,
            ran=said.node,
            fallback=said.fallback,
            n=self.board.get("devices", said.device).get("n", 0) + 1,
        )
        if said.simulated:
            self.board.put("site", "world", simulated=True)
        if str(said.round_id) != self._compared:
            self.series.outcome(wall, said.response_ms)

    def _on_round(self, said: Round, now: float, wall: float) -> None:
        compared = said.purpose == "evaluate" and said.policy not in LEARNED
        self._compared = str(said.id) if compared else ""
        self.board.put(
            "site",
            "round",
            number=said.number,
            purpose=said.purpose,
            policy=clip(said.policy),
            devices=len(said.devices),
        )

    def _on_experience(self, said: Experience, now: float, wall: float) -> None:
        self.board.put("site", "round", closed=said.round, average_ms=round(said.average_ms, 1))
        if said.purpose == "evaluate":
            name = "learned" if said.policy in LEARNED else clip(said.policy)
            self._rivals.evaluated(said, name)
        if said.purpose == "learn" or said.policy in LEARNED:
            self.series.round(wall, said.accuracy_pct)

    def recall(self, said: Experience, wall: float) -> None:
        """Take in a round of the past; its outcomes count at its own time."""
        self._on_experience(said, 0.0, wall)
        if said.purpose == "learn" or said.policy in LEARNED:
            for response_ms in said.response_ms.values():
                self.series.outcome(wall, response_ms)
        rows = self.series.rows
        if not rows or wall - (rows[-1][0] or 0.0) >= 1.0:
            self.series.close(wall)

    def _on_goal(self, said: GoalSet, now: float, wall: float) -> None:
        before = self.board.get("site", "goal").get("goal")
        at, by = round(said.at.timestamp(), 1), clip(said.by)
        self.board.put("site", "goal", goal=said.goal, by=by, at=at)
        if before is not None and before != said.goal:
            self.journal.say(wall, "goal", f"goal {said.goal}, set by {by or 'someone'}")

    def _on_exploration(self, said: Exploration, now: float, wall: float) -> None:
        before = self.board.get("site", "exploration").get("explore", True)
        at, by = round(said.at.timestamp(), 1), clip(said.by)
        self.board.put("site", "exploration", explore=said.explore, by=by, at=at)
        if before != said.explore:
            words = "goes on" if said.explore else "is paused"
            self.journal.say(wall, "exploration", f"exploring {words}, set by {by or 'someone'}")

    def _on_reset(self, said: Reset, now: float, wall: float) -> None:
        self.series.forget()
        self.journal.say(wall, "reset", f"everything learned was forgotten, by {clip(said.by)}")
