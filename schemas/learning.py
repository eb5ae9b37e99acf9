"""learning.v1.<owner>: progress of training, once a second per trainer, member and decider."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from tercet.schemas.message import Message, Milliseconds, Name, Share

Count = Annotated[int, Field(ge=0)]
Figure = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Learning(Message):
    """Fields that do not concern a role are null. Counts start with the process."""

    SUBJECT: ClassVar = "learning.v1.{owner}"
    type: Literal["learning.v1"] = "learning.v1"

    owner: Name = Field(description="policy (the trainer), member-0..member-4, or decider")
    role: Literal["learner", "member", "decider"]
    round: Count = Field(0, description="newest round that is in effect, or was closed")
    version: Count | None = Field(None, description="parameters published, or in force (decider)")
    real: Count | None = Field(None, description="real experiences in effect")
    planned: Count | None = Field(None, description="planned experiences accepted")
    dropped: Count | None = Field(None, description="planned batches dropped because stale")
    real_per_s: Figure | None = Field(None, description="over the last ten seconds")
    planned_per_s: Figure | None = Field(None, description="over the last ten seconds")
    alpha: Share | None = Field(
        None, description="0: half of an update is planned; 1: all that counts twice is planned"
    )
    buffers: dict[Name, Count] = Field(
        default_factory=dict,
        description="entries of D_direct (labels in use) and D_world (transitions)",
    )
    error: Figure | None = Field(
        None,
        description="root mean square error of log ms, one step ahead: on the latest rounds, each "
        "before it was used in training; null for members, which predict states",
    )
    holder: Name | None = Field(None, description="the worker that trains this member")
    greedy_ms: Milliseconds | None = Field(
        None, description="expected average of the greedy assignment (trainer)"
    )
    executed_ms: Milliseconds | None = Field(None, description="measured average, latest round")
    in_time: Share | None = Field(
        None, description="decider: share answered in time, latest round or window"
    )
    gap: float | None = Field(
        None,
        allow_inf_nan=False,
        description="executed over greedy, less one: cost of exploration and noise (estimate)",
    )
    exploring: bool | None = Field(None, description="decider: false when paused by an operator")
    policy: str | None = Field(None, description="decider: what chose the latest round")
    behind: Count | None = Field(None, description="decider: rounds its parameters are behind")
    censored: Count | None = Field(None, description="decider: outcomes that did not come in time")
    fallbacks: Count | None = Field(None, description="decider: outcomes of a fallback")
    refused: Count | None = Field(
        None, description="decider: versions rejected as worse than the one in force"
    )
    rolled_back: Count | None = Field(
        None, description="decider: number of rollbacks to the last good version"
    )
    pinned: Count | None = Field(None, description="decider: the version pinned by an operator")
    regret_left_ms: Figure | None = Field(
        None, description="decider: exploration budget left, ms; null: unlimited"
    )
    held_back: Count | None = Field(
        None,
        description="decider: rounds that were greedy because the exploration budget was spent",
    )
