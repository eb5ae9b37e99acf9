"""What people may change, checked: the goal, and whether the policy explores."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tercet.messaging.parsing import fault
from tercet.process.errors import Unprocessable
from tercet.rl.goal import parse_goal, required_accuracy
from tercet.schemas.fleet import GoalText

Who = Annotated[str, Field(max_length=40, pattern=r"^[^\x00-\x1f\x7f]*$")]


class ActionRequest(BaseModel):
    """What a page posts; anything else in it is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    by: Who = ""


class GoalRequest(ActionRequest):
    """Another goal."""

    goal: GoalText


class ExplorationRequest(ActionRequest):
    """Explore, or pause."""

    explore: bool


def read(kind: type[ActionRequest], body: bytes) -> Any:
    """Read a wish; raises Unprocessable in one line that names the field."""
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        raise Unprocessable(fault(error, "body")) from error


def reachable(goal: str, accuracies: Mapping[str, float]) -> str:
    """Return the goal; raises Unprocessable when no variant is as accurate as that."""
    best = max(accuracies, key=accuracies.__getitem__, default=None)
    if (
        best is not None
        and required_accuracy(parse_goal(goal), accuracies.values()) > accuracies[best]
    ):
        raise Unprocessable(
            f"goal: {goal} is above the best variant's accuracy ({best}, {accuracies[best]} %)"
        )
    return goal


def signature(by: str, address: str) -> str:
    """Who asked, as it is recorded: the name they gave, and where they sat."""
    return f"{by.strip() or 'someone'} (dashboard, {address})"
