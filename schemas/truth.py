"""truth.v1: optimum and regret in a simulated world; no agent may subscribe to it."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from tercet.schemas.fleet import GoalText
from tercet.schemas.message import Message, Milliseconds

Regret = Annotated[float, Field(ge=-1e-6, allow_inf_nan=False)]


class Truth(Message):
    """Published by a simulated world after each learning round."""

    SUBJECT: ClassVar = "truth.v1"
    type: Literal["truth.v1"] = "truth.v1"

    round: int = Field(ge=1)
    goal: GoalText
    oracle_ms: Milliseconds = Field(description="the optimum's expected average response time")
    greedy_ms: Milliseconds = Field(description="that of the policy's greedy assignment")
    regret: Regret | None = Field(
        description="greedy over oracle, less one; null: the greedy assignment misses the goal"
    )
    steps_to_optimal: int | None = Field(
        None, ge=0, description="rounds after which the regret stayed within 1 %; null: not yet"
    )
    simulated: Literal[True] = True
