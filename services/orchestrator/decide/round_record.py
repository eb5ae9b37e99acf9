"""One round: what was assigned, which outcomes came, and the experience they make."""

from __future__ import annotations

from dataclasses import dataclass, field

from tercet.rl.quarantine import impossible
from tercet.schemas.experience import Experience
from tercet.schemas.fleet import Condition, Fleet
from tercet.schemas.outcome import Outcome
from tercet.schemas.round import Round


@dataclass
class RoundRecord:
    """Collects outcomes while the round is open; `join` makes its experience."""

    opened: Round
    fleet: Fleet
    goal: str
    policy_version: int | None
    assigned: dict[str, str]
    """Device to option."""
    state: dict[str, Condition]
    greedy: dict[str, str] = field(default_factory=dict)
    """What the policy would assign if it did not explore."""
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    impossible: dict[str, str] = field(default_factory=dict)
    """Device to why its response time is impossible."""

    def add(self, outcome: Outcome, waited_ms: float = float("inf")) -> bool:
        """Enter an outcome; False when it is of another round, or not the device's first.

        It arrived `waited_ms` after the round was opened: no real response took longer.
        """
        expected = outcome.round_id == self.opened.id and outcome.device in self.assigned
        if not expected or outcome.device in self.outcomes:
            return False
        if outcome.executed not in self.fleet.options:
            return False
        self.outcomes[outcome.device] = outcome
        passed = float("inf") if outcome.simulated else waited_ms
        if reason := impossible(outcome.response_ms, outcome.compute_ms, passed):
            self.impossible[outcome.device] = reason
        return True

    @property
    def complete(self) -> bool:
        """Whether every active device has reported."""
        return len(self.outcomes) == len(self.assigned)

    def join(self, next_state: dict[str, Condition], waited_ms: float) -> Experience:
        """Close the round. A device that has not reported took at least `waited_ms`: censored.

        The options are those executed; for a missing outcome the assigned one is all that is known.
        """
        missing = tuple(d for d in self.assigned if d not in self.outcomes)
        executed = {
            d: self.outcomes[d].executed if d in self.outcomes else option
            for d, option in self.assigned.items()
        }
        response = {
            d: self.outcomes[d].response_ms if d in self.outcomes else waited_ms
            for d in self.assigned
        }
        accuracy = [self.fleet.accuracy_pct[o.partition("@")[0]] for o in executed.values()]
        return Experience.caused_by(
            self.opened,
            round=self.opened.number,
            purpose=self.opened.purpose,
            policy=self.opened.policy,
            policy_version=self.policy_version,
            goal=self.goal,
            fleet=self.fleet,
            active=tuple(self.assigned),
            state=self.state,
            next_state=next_state,
            assigned=self.assigned,
            greedy=self.greedy,
            executed=executed,
            response_ms=response,
            censored=missing,
            quarantined=self.impossible,
            average_ms=sum(response.values()) / len(response),
            accuracy_pct=sum(accuracy) / len(accuracy),
            emulated=any(o.emulated for o in self.outcomes.values()),
            simulated=any(o.simulated for o in self.outcomes.values()),
        )
