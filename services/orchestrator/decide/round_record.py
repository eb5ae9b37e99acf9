"""One round: what was assigned, which outcomes came, and the experience they make."""

from __future__ import annotations

from dataclasses import dataclass, field

from tercet.experience.tally import attempts_of, names_known, requests_of
from tercet.schemas.experience_v2 import Experience
from tercet.schemas.fleet import Condition, Fleet
from tercet.schemas.outcome import Outcome
from tercet.schemas.round import Round
from tercet.schemas.window import ActiveRow


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
    refused: set[str] = field(default_factory=set)
    """Devices whose outcome cannot be used: they are not waited for."""

    def expects(self, outcome: Outcome) -> bool:
        """Whether it is of this round, and the device's first."""
        device, mine = outcome.device, outcome.round_id == self.opened.id
        new = device not in self.outcomes and device not in self.refused
        return mine and new and device in self.assigned and names_known(outcome, self.fleet)

    def add(self, outcome: Outcome) -> bool:
        """Enter an outcome; False when it is not expected."""
        if not self.expects(outcome):
            return False
        self.outcomes[outcome.device] = outcome
        return True

    def missing(self) -> frozenset[str]:
        """Devices that have not reported."""
        return frozenset(self.assigned.keys() - self.outcomes.keys() - self.refused)

    @property
    def complete(self) -> bool:
        """Whether every active device has reported."""
        return not self.missing()

    def join(self, next_state: dict[str, Condition]) -> Experience:
        """Close the round. A device without an outcome has no requests: silence is not slowness."""
        outcomes, nodes = self.outcomes, self.fleet.nodes
        return Experience.caused_by(
            self.opened,
            window=self.opened.number,
            purpose=self.opened.purpose,
            policy=self.opened.policy,
            policy_version=self.policy_version,
            goal=self.goal,
            fleet=self.fleet,
            active=tuple(
                ActiveRow(device=device, assigned=option, greedy=self.greedy.get(device))
                for device, option in self.assigned.items()
            ),
            state={node: c for node, c in self.state.items() if node in nodes},
            next_state={node: c for node, c in next_state.items() if node in nodes},
            requests=requests_of(outcomes.values(), self.fleet),
            attempts=attempts_of(outcomes.values(), self.fleet),
            emulated=any(o.emulated for o in outcomes.values()),
            simulated=any(o.simulated for o in outcomes.values()),
        )
