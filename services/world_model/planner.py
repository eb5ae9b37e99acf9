"""Planning with the newest parameters of all members, whichever worker trained them."""

from __future__ import annotations

from collections.abc import Iterable

from tercet.experience.translation import planned_message, platform_of, state_of
from tercet.rl.goal import Goal, parse_goal
from tercet.rl.hybrid import (
    CostModel,
    GoalValues,
    Parameters,
    PolicyParameters,
    from_bytes,
    to_bytes,
)
from tercet.rl.planning import plan
from tercet.rl.planning.parameters import System, joined
from tercet.rl.planning.values import Values
from tercet.schemas.plan import Plan
from tercet.services.world_model.job_result import JobResult


class Planner:
    """Holds the newest parameters; a member without parameters does not plan.

    Until the policy has parameters, costs are those of the priors. Values of a former job are where
    the next one starts, whichever worker computed them.
    """

    def __init__(self) -> None:
        self._members: dict[int, tuple[int, Parameters]] = {}
        self._policy = (-1, CostModel().knowledge)
        self._values: tuple[int, GoalValues | None] = (-1, None)

    def load(self, slot: int, version: int, blob: bytes) -> None:
        """Use a member's new parameters; raises ValueError when they are malformed."""
        parameters = from_bytes(blob)
        System.of(parameters)
        self._members[slot] = (version, parameters)

    def load_policy(self, version: int, blob: bytes) -> None:
        """Use the policy's new parameters; raises ValueError when they are malformed."""
        self._policy = (version, PolicyParameters.of(from_bytes(blob)).knowledge)

    def load_values(self, version: int, blob: bytes) -> None:
        """Start from new values of states; raises ValueError when they are malformed."""
        self._values = (version, GoalValues.of(from_bytes(blob)))

    def clear(self) -> None:
        """Drop all parameters."""
        self._members.clear()
        self._policy, self._values = (-1, CostModel().knowledge), (-1, None)

    def lacks_any(self, slots: Iterable[int]) -> bool:
        """Whether there is a member among these whose parameters it does not have."""
        return not self._members.keys() >= set(slots)

    def is_newer(self, slot: int, version: int) -> bool:
        """Whether a version is newer than the one it has."""
        return slot not in self._members or self._members[slot][0] < version

    def is_newer_policy(self, version: int) -> bool:
        """As `is_newer`, of the policy."""
        return self._policy[0] < version

    def is_newer_values(self, version: int) -> bool:
        """As `is_newer`, of the values of states."""
        return self._values[0] < version

    def plan(self, job: Plan) -> JobResult:
        """Do a job: one batch per member that has parameters, and new values. Blocking.

        Nothing where nothing is to be planned.
        """
        members = sorted(dict(self._members).items())
        if not members:
            return JobResult()
        goal = parse_goal(job.goal)
        found = plan(
            joined([parameters for _, (_, parameters) in members]),
            self._policy[1],
            platform_of(job.fleet),
            state_of(job.active, job.state),
            goal,
            job.seed,
            self._known_values(goal),
            job.fleet.profile_ms,
            windows=job.transitions,
        )
        if found.values is None:
            return JobResult()
        batches = [
            planned_message(job, slot, version, (e for e in found.experience if e.member == k))
            for k, (slot, (version, _)) in enumerate(members)
        ]
        values = GoalValues(str(goal), found.values)
        return JobResult(tuple(batches), to_bytes(values.parameters()))

    def _known_values(self, goal: Goal) -> Values | None:
        known = self._values[1]
        return None if known is None or known.goal != str(goal) else known.values
