"""What a worker needs of an agent: its members, and a planner."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Protocol

from tercet.experience.digest import IdDigest
from tercet.messaging.topology import MEMBERS
from tercet.process.extras import require
from tercet.rl.hybrid.prediction_error import PredictionError
from tercet.schemas.experience_v2 import Experience
from tercet.schemas.plan import Plan
from tercet.services.world_model.job_result import JobResult
from tercet.services.world_model.settings import WorldModelSettings

SLOTS = {f"member-{k}": k for k in range(MEMBERS)}
"""Owner of parameters, durable and lease of each member, all of one name, to its slot."""


class TrainedMember(Protocol):
    """One member of a system model, trained round by round."""

    slot: int
    observed: int
    learned: int
    round: int
    since: int
    digest: IdDigest
    prediction_error: PredictionError

    def is_new(self, experience: Experience) -> bool:
        """Whether an experience is for training and was not taken in before."""

    def real(self, experience: Experience, sequence: int = 0) -> bool:
        """Take in a measured round at a stream sequence; False when it is not new. Blocking."""

    def update(self) -> bytes | None:
        """Update, and return the parameters; None before any experience. Blocking."""

    @property
    def label_count(self) -> int:
        """Size of D_world."""


class JobPlanner(Protocol):
    """Holds each member's newest parameters, and does planning jobs with them."""

    def load(self, slot: int, version: int, blob: bytes) -> None:
        """Use a member's new parameters; raises ValueError when they are malformed."""

    def load_policy(self, version: int, blob: bytes) -> None:
        """Use the policy's new parameters; raises ValueError when they are malformed."""

    def load_values(self, version: int, blob: bytes) -> None:
        """Use new values of states; raises ValueError when they are malformed."""

    def is_newer_policy(self, version: int) -> bool:
        """As `is_newer`, of the policy."""

    def is_newer_values(self, version: int) -> bool:
        """As `is_newer`, of the values of states."""

    def clear(self) -> None:
        """Drop all parameters."""

    def lacks_any(self, slots: Iterable[int]) -> bool:
        """Whether there is a member among these whose parameters it does not have."""

    def is_newer(self, slot: int, version: int) -> bool:
        """Whether a version is newer than the one it has."""

    def plan(self, job: Plan) -> JobResult:
        """Do a job: one batch per member that has parameters, and values. Blocking."""


def slots_of(settings: WorldModelSettings) -> dict[str, int]:
    """The slots that an agent uses; the paper's has one system model."""
    return {"member-0": 0} if settings.policy == "hybrid-paper" else SLOTS


def member_of(settings: WorldModelSettings, slot: int) -> Callable[[], TrainedMember]:
    """What creates a member; raises Misconfigured without the agent's extra."""
    known = 2 * settings.memory
    if settings.policy == "hybrid-paper":
        require("torch", extra="paper")
        from tercet.services.world_model.paper_member import PaperMember

        return partial(PaperMember, slot, settings.seed, known=known)
    from tercet.services.world_model.member import Member

    return partial(Member, slot, settings.seed, known=known)


def planner_of(settings: WorldModelSettings) -> JobPlanner:
    """A planner; raises Misconfigured without the agent's extra."""
    if settings.policy == "hybrid-paper":
        require("torch", extra="paper")
        from tercet.services.world_model.paper_planner import PaperPlanner

        return PaperPlanner()
    from tercet.services.world_model.planner import Planner

    return Planner()
