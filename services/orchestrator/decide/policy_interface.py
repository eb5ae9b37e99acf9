"""The one interface of a policy, and the context that it decides on."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

from tercet.experience.translation import platform_of, state_of
from tercet.rl.experience import State
from tercet.rl.explanation_data import Reasons
from tercet.rl.goal import Goal, Goals, parse_goal
from tercet.rl.platform import Platform
from tercet.schemas.experience_v2 import Experience
from tercet.schemas.fleet import Condition, Fleet


class Rejected(Exception):
    """New parameters are worse than the present ones, which stay in force."""


ERRORS = (Rejected, ValueError)
"""What the methods of a policy raise on purpose."""


@dataclass(frozen=True)
class DecisionContext:
    """What a decision is made on, in the types of the wire; its properties are those of `rl`."""

    fleet: Fleet
    active: tuple[str, ...]
    """Rows to decide for: devices, or `device/family`."""
    conditions: dict[str, Condition]
    """Node to its last condition."""
    goal: str
    unavailable: frozenset[str] = frozenset()
    """Nodes to avoid."""
    demand: dict[str, float] = field(default_factory=dict)
    """Row to requests per second; empty in a round: one request each."""
    own_queue: dict[str, tuple[float, ...]] = field(default_factory=dict)
    """Row to what a request finds of its own before it (`tercet.experience.own_queue`)."""
    held: tuple[int, float] = (0, 0.0)
    """Windows for which the trials of the last decision stayed in force beyond the first, and the
    sum over these of the share of the trials' requests that were still on trial."""
    goals: dict[str, str] = field(default_factory=dict)
    """Goal group to its goal; empty where there is one, `goal`."""

    @cached_property
    def platform(self) -> Platform:
        """The fleet."""
        return platform_of(self.fleet)

    @cached_property
    def state(self) -> State:
        """The active devices and the conditions of the nodes."""
        return state_of(self.active, self.conditions, self.demand, self.own_queue)

    @property
    def parsed_goal(self) -> Goal:
        """The goal; ValueError if it is not one."""
        return parse_goal(self.goal)

    @property
    def parsed_goals(self) -> Goals:
        """The goal, or that of each goal group; ValueError if one is none."""
        if not self.goals:
            return self.parsed_goal
        return {group: parse_goal(goal) for group, goal in self.goals.items()}


class DecisionPolicy(Protocol):
    """What `Policy` implements, and `PolicyProcess` offers from another process, awaitable.

    Types and names of these methods also define the messages between the two processes
    (`tercet.services.orchestrator.decide.remote_call`).
    """

    def adopt(self, version: int, blob: bytes, unchecked: bool = False) -> None:
        """Put new parameters in force.

        Raises ValueError when they are malformed. Raises Rejected when the latest rounds show that
        they are worse than the present ones, unless `unchecked`.
        """

    def choose(self, name: str, context: DecisionContext) -> dict[str, str] | None:
        """Return an option per active device, decided by the policy `name`.

        None: a fixed policy that does not apply, because some node cannot run its option.
        """

    def explain(
        self, name: str, context: DecisionContext, in_force: dict[str, str]
    ) -> Reasons | None:
        """Return why policy `name` chose the assignment in force.

        Draws no random numbers. There are no reasons without parameters.
        """

    def expected_ms(
        self, context: DecisionContext, in_force: dict[str, str]
    ) -> dict[str, dict[str, float]] | None:
        """Return the expected milliseconds of each active device's options, others as in force.

        None without parameters, or when the policy expects nothing of a single device.
        """

    def add_round(self, experience: Experience) -> None:
        """Remember a round: new parameters are compared with the present ones on the latest."""

    def costs(self, blob: bytes) -> tuple[float, float] | None:
        """Return the average ms of the greedy assignments of the present parameters and of `blob`.

        Both are estimated from the latest rounds; None without parameters or rounds.
        """

    def exploration_budget(self) -> tuple[float | None, int]:
        """Return the milliseconds that exploration may still cost, and rounds held back.

        None: there is no limit, or nothing was explored yet. A round is held back when a trial was
        worth its cost and the budget did not cover it.
        """
