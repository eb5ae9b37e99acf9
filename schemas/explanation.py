"""explanation.v1.<device>: the policy's prediction for each option, and why one was chosen."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import AwareDatetime, Field

from tercet.schemas.fleet import GoalText, Part
from tercet.schemas.message import Message, Milliseconds, Name, OptionText, Percent, Share
from tercet.schemas.outcome import Fallback

Spread = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Choice(Part):
    """One option of the device, with all other devices at their present options."""

    option: OptionText
    node: Name = Field(description="the node that would run it")
    load: int = Field(ge=1, description="devices on that node if this device chose it")
    accuracy_pct: Percent
    predicted_ms: Milliseconds | None = Field(
        None, description="expected response time; null: not trained yet"
    )
    low_ms: Milliseconds | None = Field(None, description="5 % bound of that expectation, ms")
    high_ms: Milliseconds | None = Field(None, description="95 % bound of that expectation, ms")
    spread: Spread | None = Field(
        None, description="standard deviation of the expectation's log ms: the uncertainty"
    )
    sampled_ms: Milliseconds | None = Field(
        None, description="a sampled prediction, ms; null: nothing is sampled"
    )
    profile_ms: Milliseconds | None = Field(
        None, description="compute time that the node measured for it at its start, ms"
    )
    available: bool = Field(True, description="false: its node did not answer a picture")
    chosen: bool = Field(False, description="it is in force")
    greedy: bool = Field(False, description="it would be chosen without exploration")


class RequestTiming(Part):
    """Parts of one past request's response time; their sum is about `response_ms`."""

    at: AwareDatetime
    executed: OptionText
    assigned: OptionText | None = None
    node: Name
    fallback: Fallback = "none"
    response_ms: Milliseconds
    decision_ms: Milliseconds = 0.0
    network_ms: Milliseconds = 0.0
    queue_ms: Milliseconds = 0.0
    compute_ms: Milliseconds = 0.0
    round: int | None = None
    simulated: bool = Field(False, description="times are virtual, and not split into parts")


class Explanation(Message):
    """The reply to an Explain; computed off the decision path, about once a second at most."""

    SUBJECT: ClassVar = "explanation.v1.{device}"
    type: Literal["explanation.v1"] = "explanation.v1"

    device: Name
    family: str = Field("", max_length=64, description="model family; empty: the only one")
    goal: GoalText
    policy: str = Field(description="what chose: explore, greedy, profile, a fixed policy's name")
    policy_version: int | None = Field(None, description="parameters in force; null: none yet")
    head: int | None = Field(None, description="of an ensemble that explored; null: there is none")
    exploring: bool = Field(True, description="false: an operator has paused exploration")
    round: int | None = Field(None, description="number of the round that is open")
    options: tuple[Choice, ...]
    average_ms: Milliseconds | None = Field(
        None, description="expected average response time of the greedy assignment, ms"
    )
    accuracy_pct: Percent | None = Field(None, description="its average accuracy")
    feasible: bool = Field(True, description="false: no assignment meets the goal")
    price_ms: Spread | None = Field(
        None,
        description="what the goal costs: ms of average response time that one point of average "
        "accuracy less would save (difference quotient of the solver); null: not known",
    )
    demand: Spread | None = Field(
        None, description="its requests per second as they arrive; null: as rounds ask for them"
    )
    deadline_ms: Milliseconds | None = Field(
        None, description="of requests that name none: later answers are not in time; null: none"
    )
    answered_in_time: Share | None = Field(
        None, description="of its latest requests, the share that was; null: none yet"
    )
    trips: tuple[RequestTiming, ...] = Field(
        (), description="last requests, newest first, at most 20"
    )
