"""Planning with the newest parameters of all members, whichever worker trained them."""

from __future__ import annotations

from collections.abc import Iterable

from tercet.experience.translation import planned_message, platform_of, state_of
from tercet.rl.goal import parse_goal
from tercet.rl.hybrid import CostModel, Parameters, from_bytes, from_parameters, plan
from tercet.rl.hybrid.system_model import check
from tercet.schemas.plan import Plan
from tercet.schemas.planned import Planned


class Planner:
    """Holds the newest parameters; a member without parameters does not plan.

    Until the policy has parameters, costs are those of the priors.
    """

    def __init__(self) -> None:
        self._members: dict[int, tuple[int, Parameters]] = {}
        self._policy = (-1, CostModel().knowledge)

    def load(self, slot: int, version: int, blob: bytes) -> None:
        """Use a member's new parameters; raises ValueError when they are malformed."""
        parameters = from_bytes(blob)
        check(parameters)
        self._members[slot] = (version, parameters)

    def load_policy(self, version: int, blob: bytes) -> None:
        """Use the policy's new parameters; raises ValueError when they are malformed."""
        self._policy = (version, from_parameters(from_bytes(blob)))

    def clear(self) -> None:
        """Drop all parameters."""
        self._members.clear()
        self._policy = (-1, CostModel().knowledge)

    def lacks_any(self, slots: Iterable[int]) -> bool:
        """Whether there is a member among these whose parameters it does not have."""
        return not self._members.keys() >= set(slots)

    def is_newer(self, slot: int, version: int) -> bool:
        """Whether a version is newer than the one it has."""
        return slot not in self._members or self._members[slot][0] < version

    def is_newer_policy(self, version: int) -> bool:
        """As `is_newer`, of the policy."""
        return self._policy[0] < version

    def plan(self, job: Plan) -> list[Planned]:
        """Do a job: one batch per member that has parameters. Blocking."""
        platform = platform_of(job.fleet)
        state, goal = state_of(job.active, job.state), parse_goal(job.goal)
        (_, knowledge), batches = self._policy, []
        for slot, (version, parameters) in sorted(dict(self._members).items()):
            planned = plan(
                parameters,
                knowledge,
                platform,
                state,
                goal,
                (job.seed, slot, version),
                count=job.transitions,
                profile=job.fleet.profile_ms,
                member=slot,
            )
            batches.append(planned_message(job, slot, version, planned))
        return batches
