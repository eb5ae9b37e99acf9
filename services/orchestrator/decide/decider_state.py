"""The state of the deciding role: nodes, goal, rates, and the assignment in force."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from tercet.process import log
from tercet.process.errors import ServiceError, TryLater
from tercet.schemas.fleet import Condition, Fleet
from tercet.schemas.outcome import Outcome
from tercet.services.orchestrator.decide.node_registry import NodeRegistry
from tercet.services.orchestrator.decide.policy_interface import DecisionContext
from tercet.services.orchestrator.decide.rate_limit import RateLimiter
from tercet.services.orchestrator.decide.round_record import RoundRecord
from tercet.services.orchestrator.decide.schedule import PROFILE

_log = log.get(__name__)


class NotADevice(ServiceError):
    """The node is known, and no device: answered with 400."""


@dataclass
class DeciderState:
    """One value that the parts of the deciding role share; there is no bus in it."""

    registry: NodeRegistry
    requests: RateLimiter
    """Requests that each device may still send."""
    outcomes: RateLimiter
    """Outcomes that each device may still send."""
    goal: str | None
    """Of every family that has none of its own; None: each family's default."""
    goals: dict[str, str] = field(default_factory=dict)
    """Family to the goal that an operator has set for it."""
    exploring: bool = True
    """False while an operator has paused it."""
    resets: int = 0
    """How often everything that was learned was erased."""
    in_force: dict[str, str] = field(default_factory=dict)
    """Row to the option that its requests are answered with."""
    policy_name: str = PROFILE
    """The policy that chose it."""
    open_round: RoundRecord | None = None
    demand: dict[str, float] = field(default_factory=dict)
    """Row to requests per second; empty where devices are told when to make one."""
    own_queue: dict[str, tuple[float, ...]] = field(default_factory=dict)
    """Row to what a request finds of its own before it (`tercet.experience.own_queue`)."""
    window: int | None = None
    """Number of the window that is open, or opens next."""
    assignment: int = 0
    """How often the options in force have changed."""

    def now(self) -> float:
        """Seconds on the loop's clock."""
        return asyncio.get_running_loop().time()

    def active(self) -> tuple[str, ...]:
        """Rows of the devices that are present."""
        fleet = self.registry.fleet
        present = self.registry.active(self.now()) if fleet else ()
        return tuple(row for device in present if fleet for row in fleet.rows_of(device))

    def goal_of(self, family: str) -> str:
        """The goal in force of a family; that of the only one for ""."""
        family = family or self.registry.only_family
        default = self.registry.default_goals.get(family, "max")
        return self.goals.get(family) or self.goal or default

    def goals_of(self, fleet: Fleet) -> dict[str, str]:
        """Goal group to its goal; empty where there is one family."""
        return {group: self.goal_of(family) for family, group in fleet.groups.items()}

    def conditions(self) -> dict[str, Condition]:
        """Last condition of every node."""
        return self.registry.conditions()

    @property
    def fleet(self) -> Fleet:
        """The fleet; only once a device is known."""
        assert self.registry.fleet is not None, "nothing can be decided before a device is known"
        return self.registry.fleet

    def context(self, fleet: Fleet, active: tuple[str, ...]) -> DecisionContext:
        """What to decide on.

        Nodes come and go while a policy decides, so a round takes fleet and devices once.
        """
        unavailable = self.registry.unavailable(self.now())
        demand = {device: rate for device, rate in self.demand.items() if device in active}
        own_queue = {row: own for row, own in self.own_queue.items() if row in active}
        goal, goals = self.goal_of(""), self.goals_of(fleet)
        return DecisionContext(
            fleet, active, self.conditions(), goal, unavailable, demand, own_queue, goals=goals
        )

    def put_in_force(self, policy: str, assigned: dict[str, str]) -> None:
        """Requests are answered by these options from now on; other devices keep theirs."""
        in_force = {**self.in_force, **assigned}
        self.assignment += in_force != self.in_force
        self.in_force, self.policy_name = in_force, policy

    def fleet_with(self, device: str) -> Fleet:
        """The fleet, if the device is part of it.

        Raises TryLater for a node without a capability, which may still come; NotADevice for an
        edge or the cloud.
        """
        fleet, capability = self.registry.fleet, self.registry.capability(device)
        if fleet is not None and device in fleet.devices:
            return fleet
        if capability is not None and capability.tier != "device":
            article = "an edge" if capability.tier == "edge" else "the cloud"
            raise NotADevice(f"device: {device} is {article}, not a device")
        raise TryLater(f"device: {device} has not published a capability")

    def add_outcome(self, outcome: Outcome) -> None:
        """The device is present; a shared node that did not answer it is avoided for a while.

        Only the node that the device was assigned is marked, so that a device cannot make others
        avoid arbitrary nodes.
        """
        device, assigned = outcome.device, self.in_force.get(outcome.row)
        self.registry.mark_present(device, self.now())
        fleet = self.registry.fleet
        if fleet is None or device not in fleet.devices:
            return
        if assigned is None or assigned not in fleet.options:
            return
        if outcome.fallback != "no-responder" or outcome.assigned != assigned:
            return
        node = fleet.node(device, assigned)
        if node != device:
            _log.warning("node does not answer", node=node, device=device)
            self.registry.mark_unanswered(node, self.now())

    def remove_absent(self) -> None:
        """Drop nodes and rate limits that are no longer needed."""
        now = self.now()
        self.requests.remove_full(now)
        self.outcomes.remove_full(now)
        if gone := self.registry.remove_absent(now):
            _log.info("absent nodes removed", nodes=gone)
