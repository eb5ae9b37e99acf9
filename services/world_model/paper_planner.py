"""Planning with the newest parameters of the paper's system model."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from tercet.experience.translation import planned_message, platform_of, state_of
from tercet.rl.goal import parse_goal
from tercet.rl.paper.networks import use_one_thread
from tercet.rl.paper.parameters import Parameters, from_bytes
from tercet.rl.paper.planning import plan
from tercet.rl.paper.settings import HybridPaperSettings
from tercet.schemas.plan import Plan
from tercet.services.world_model.job_result import JobResult


class PaperPlanner:
    """The `Planner` of `hybrid-paper`; its one member is in slot 0."""

    def __init__(self, settings: HybridPaperSettings | None = None) -> None:
        use_one_thread()
        self._settings = settings or HybridPaperSettings()
        self._newest: tuple[int, Parameters] | None = None

    def load(self, slot: int, version: int, blob: bytes) -> None:
        """Use new parameters; raises ValueError when they are malformed."""
        self._newest = (version, from_bytes(blob))

    def load_policy(self, version: int, blob: bytes) -> None:
        """Not used: the paper's model needs no model of costs."""

    def load_values(self, version: int, blob: bytes) -> None:
        """Not used: what a state is worth is in Q."""

    def is_newer_policy(self, version: int) -> bool:
        """False: the policy's parameters are not used."""
        return False

    def is_newer_values(self, version: int) -> bool:
        """False: there are none."""
        return False

    def clear(self) -> None:
        """Drop the parameters."""
        self._newest = None

    def lacks_any(self, slots: Iterable[int]) -> bool:
        """Whether it has no parameters."""
        return self._newest is None

    def is_newer(self, slot: int, version: int) -> bool:
        """Whether a version is newer than the one it has."""
        return self._newest is None or self._newest[0] < version

    def plan(self, job: Plan) -> JobResult:
        """Do a job: the K best joint actions, K = `transitions`; none without parameters. Blocking.

        Raises ValueError for parameters of another fleet.
        """
        if self._newest is None:
            return JobResult()
        version, parameters = self._newest
        state, settings = state_of(job.active, job.state), self._settings
        settings = replace(settings, best_actions=job.transitions)
        found = plan(parameters, platform_of(job.fleet), state, parse_goal(job.goal), settings)
        return JobResult((planned_message(job, 0, version, found),))
