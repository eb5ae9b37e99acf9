"""The state of the page as a function of the received messages. No clock, no bus.

`now` is seconds of one monotonic clock; `wall` is seconds since 1970, for display. Received
values are bounded here: numbers are finite by schema, text is clipped, and the numbers of nodes,
policies and options are limited.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tercet.rl.goal import parse_goal, required_accuracy
from tercet.schemas import Message
from tercet.schemas.capability import Capability
from tercet.schemas.decision import Decision
from tercet.schemas.experience_v2 import Experience
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
from tercet.services.dashboard.event_log import EventLog
from tercet.services.dashboard.nodes import Nodes
from tercet.services.dashboard.request_history import RequestHistory
from tercet.services.dashboard.sanitise import clip
from tercet.services.dashboard.state_store import StateStore
from tercet.services.dashboard.time_series import COLUMNS, Row, TimeSeries
from tercet.services.dashboard.training_progress import TrainingProgress

LEARNED_POLICIES = ("explore", "greedy")
"""Names under which the learned policy decides; all others are baselines."""


class PageState:
    """Everything that the page shows."""

    def __init__(self) -> None:
        self.state = StateStore()
        self.series = TimeSeries()
        self.events = EventLog(self.state)
        self.nodes = Nodes(self.state, self.events)
        self._training = TrainingProgress(self.state, self.series)
        self._baselines = Baselines()
        self._requests: dict[str, RequestHistory] = {}
        self._baseline_round = ""
        """Id of the current round if it evaluates a baseline, else empty."""
        self._counts = {"decisions": 0, "outcomes": 0, "malformed": 0}
        self._handlers: dict[type[Message], Callable[[Any, float, float], None]] = {
            Capability: self._on_capability,
            Telemetry: self.nodes.on_telemetry,
            Decision: self._on_decision,
            Outcome: self._on_outcome,
            Round: self._on_round,
            Experience: self._on_experience,
            GoalSet: self._on_goal,
            Exploration: self._on_exploration,
            Parameters: self._training.on_parameters,
            Worker: self._training.on_worker,
            Learning: self._training.on_learning,
            Truth: self._training.on_truth,
            Reset: self._on_reset,
        }

    @property
    def message_types(self) -> tuple[type[Message], ...]:
        """The message types that it handles."""
        return tuple(self._handlers)

    def apply(self, message: Message, now: float, wall: float) -> None:
        """Apply one message."""
        self._handlers[type(message)](message, now, wall)

    def on_malformed(self, subject: str) -> None:
        """Count a message that no schema accepts."""
        self._counts["malformed"] += 1
        self.state.put("site", "traffic", last_malformed=clip(subject))

    def apply_timeouts(self, now: float, wall: float) -> None:
        """Update nodes and workers that no longer report, and the message counts."""
        self.state.put("site", "traffic", left_out=self.nodes.left_out, **self._counts)
        self.nodes.apply_timeouts(now, wall)
        self._training.apply_timeouts(now)

    def close_row(self, wall: float) -> Row:
        """Close the time series row of this second and return it."""
        self.series.set_required(self._required())
        policies = self._baselines.records()
        for name in self.state.section("policies").keys() - policies.keys():
            self.state.drop("policies", name)
        for name, record in policies.items():
            self.state.put("policies", name, **record)
        return self.series.close_row(wall)

    def full_state(self) -> dict[str, Any]:
        """Return everything, for a page that has just opened."""
        names = ("site", "nodes", "devices", "policies", "members", "workers", "journal")
        sections = {name: self.state.section(name) for name in names}
        return {**sections, "columns": COLUMNS, "rows": list(self.series.rows)}

    def device(self, name: str) -> dict[str, Any] | None:
        """Return the details of one device; None if the device is unknown."""
        if name not in self.state.section("devices"):
            return None
        requests = self._requests.get(name, RequestHistory())
        return {
            "device": name,
            **self.state.get("devices", name),
            "accuracies": self.nodes.accuracies,
            "requests": requests.last(),
            "measured": requests.measured(),
        }

    def _required(self) -> float | None:
        """Return the average accuracy in percent that the goal requires; None if not known yet."""
        goal, accuracies = self.state.get("site", "goal").get("goal"), self.nodes.accuracies
        if goal is None or (goal == "max" and not accuracies):
            return None
        return required_accuracy(parse_goal(goal), accuracies.values())

    def _on_capability(self, capability: Capability, now: float, wall: float) -> None:
        if not self.nodes.on_capability(capability, now):
            return
        if capability.tier == "device" and not self.state.get("devices", capability.node):
            self.state.put("devices", capability.node, option=None, node=None, ms=None, n=0)
        self._baselines.on_capability(capability)

    def _on_decision(self, decision: Decision, now: float, wall: float) -> None:
        self._counts["decisions"] += 1
        if not self.nodes.register(decision.device, now):
            return
        self.state.put(
            "devices",
            decision.device,
            option=decision.option,
            node=decision.node,
            policy=clip(decision.policy),
            version=decision.policy_version,
        )

    def _on_outcome(self, outcome: Outcome, now: float, wall: float) -> None:
        self._counts["outcomes"] += 1
        if not self.nodes.register(outcome.device, now):
            return
        requests = self._requests.setdefault(outcome.device, RequestHistory())
        requests.add(outcome)
        self.state.put(
            "devices",
            outcome.device,
            ms=round(outcome.response_ms, 1),
            executed=outcome.executed,
            ran=outcome.node,
            fallback=outcome.fallback,
            n=self.state.get("devices", outcome.device).get("n", 0) + 1,
        )
        if outcome.simulated:
            self.state.put("site", "world", simulated=True)
        if str(outcome.round_id) != self._baseline_round:
            self.series.add_outcome(wall, outcome.response_ms)

    def _on_round(self, message: Round, now: float, wall: float) -> None:
        is_baseline = message.purpose == "evaluate" and message.policy not in LEARNED_POLICIES
        self._baseline_round = str(message.id) if is_baseline else ""
        self.state.put(
            "site",
            "round",
            number=message.number,
            purpose=message.purpose,
            policy=clip(message.policy),
            devices=len(message.devices),
        )

    def _on_experience(self, experience: Experience, now: float, wall: float) -> None:
        average_ms, accuracy_pct = experience.average_ms, experience.accuracy_pct
        self.state.put("site", "round", closed=experience.window)
        if average_ms is None or accuracy_pct is None:
            return
        self.state.put("site", "round", average_ms=round(average_ms, 1), **_of_window(experience))
        if experience.purpose == "evaluate":
            name = "learned" if experience.policy in LEARNED_POLICIES else clip(experience.policy)
            self._baselines.on_evaluation(name, experience.goal, average_ms, accuracy_pct)
        if experience.purpose == "learn" or experience.policy in LEARNED_POLICIES:
            self.series.add_accuracy(wall, accuracy_pct)

    def recall(self, experience: Experience, wall: float) -> None:
        """Apply a stored round; its outcomes count at the time of the round."""
        self._on_experience(experience, 0.0, wall)
        if experience.purpose == "learn" or experience.policy in LEARNED_POLICIES:
            for response_ms in experience.response_ms.values():
                self.series.add_outcome(wall, response_ms)
        rows = self.series.rows
        if not rows or wall - (rows[-1][0] or 0.0) >= 1.0:
            self.series.close_row(wall)

    def _on_goal(self, goal_set: GoalSet, now: float, wall: float) -> None:
        before = self.state.get("site", "goal").get("goal")
        at, by = round(goal_set.at.timestamp(), 1), clip(goal_set.by)
        self.state.put("site", "goal", goal=goal_set.goal, by=by, at=at)
        if before is not None and before != goal_set.goal:
            self.events.add(wall, "goal", f"goal {goal_set.goal}, set by {by or 'someone'}")

    def _on_exploration(self, exploration: Exploration, now: float, wall: float) -> None:
        before = self.state.get("site", "exploration").get("explore", True)
        at, by = round(exploration.at.timestamp(), 1), clip(exploration.by)
        self.state.put("site", "exploration", explore=exploration.explore, by=by, at=at)
        if before != exploration.explore:
            change = "goes on" if exploration.explore else "is paused"
            self.events.add(wall, "exploration", f"exploring {change}, set by {by or 'someone'}")

    def _on_reset(self, reset: Reset, now: float, wall: float) -> None:
        self.series.reset_best()
        self.events.add(wall, "reset", f"policy and system model reset by {clip(reset.by)}")


def _of_window(experience: Experience) -> dict[str, Any]:
    """What is shown of a window: nothing opens it for the page, as a round does."""
    found: dict[str, Any] = {"in_time": experience.answered_in_time}
    if any(row.demand is not None for row in experience.active):
        found |= {
            "number": experience.window,
            "purpose": experience.purpose,
            "policy": clip(experience.policy),
            "devices": len(experience.active),
        }
    return found
