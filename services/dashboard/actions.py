"""Validation of the changes that a page may request: the goal, and exploration on or off."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tercet.messaging.parsing import first_error
from tercet.process.errors import Unprocessable
from tercet.rl.goal import parse_goal, required_accuracy
from tercet.schemas.fleet import GoalText

PersonName = Annotated[str, Field(max_length=40, pattern=r"^[^\x00-\x1f\x7f]*$")]


class ActionRequest(BaseModel):
    """The body of a POST; unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    by: PersonName = ""


class GoalRequest(ActionRequest):
    """Set the goal."""

    goal: GoalText


class ExplorationRequest(ActionRequest):
    """Enable or pause exploration."""

    explore: bool


def parse_action(kind: type[ActionRequest], body: bytes) -> Any:
    """Parse a request body; raises Unprocessable in one line that names the field."""
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        raise Unprocessable(first_error(error, "body")) from error


def check_goal(goal: str, accuracies: Mapping[str, float]) -> str:
    """Return the goal; raises Unprocessable if no variant is that accurate."""
    best = max(accuracies, key=accuracies.__getitem__, default=None)
    if (
        best is not None
        and required_accuracy(parse_goal(goal), accuracies.values()) > accuracies[best]
    ):
        raise Unprocessable(
            f"goal: {goal} is above the best variant's accuracy ({best}, {accuracies[best]} %)"
        )
    return goal


def recorded_author(by: str, address: str) -> str:
    """Return the author of a change as it is recorded: the given name and the client address."""
    return f"{by.strip() or 'someone'} (dashboard, {address})"
