"""Planning with the newest parameters of all members, whichever worker trained them."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from tercet.experience.translation import planned_message, platform_of, state_of
from tercet.rl.goal import parse_goal
from tercet.rl.hybrid import Parameters, from_bytes, plan
from tercet.schemas.plan import Plan
from tercet.schemas.planned import Planned


class Planner:
    """Holds each member's newest parameters; a member without parameters does not plan."""

    def __init__(self) -> None:
        self._members: dict[int, tuple[int, Parameters]] = {}

    def load(self, slot: int, version: int, blob: bytes) -> None:
        """Use a member's new parameters; raises ValueError when they are malformed."""
        self._members[slot] = (version, from_bytes(blob))

    def clear(self) -> None:
        """Drop the parameters of all members."""
        self._members.clear()

    def lacks_any(self, slots: Iterable[int]) -> bool:
        """Whether there is a member among these whose parameters it does not have."""
        return not self._members.keys() >= set(slots)

    def is_newer(self, slot: int, version: int) -> bool:
        """Whether a version is newer than the one it has."""
        return slot not in self._members or self._members[slot][0] < version

    def plan(self, job: Plan) -> list[Planned]:
        """Do a job: one batch per member that has parameters. Blocking."""
        platform = platform_of(job.fleet)
        state, goal = state_of(job.active, job.state), parse_goal(job.goal)
        batches = []
        for slot, (version, parameters) in sorted(dict(self._members).items()):
            rng = np.random.default_rng((job.seed, slot, version))
            planned = plan(
                parameters,
                platform,
                state,
                goal,
                job.transitions,
                rng,
                slots=(slot,),
                profile=job.fleet.profile_ms,
            )
            batches.append(planned_message(job, slot, version, planned))
        return batches
