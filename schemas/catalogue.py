"""Every message class by its type, and the JSON Schemas that are generated from them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tercet.schemas.capability import Capability
from tercet.schemas.claim import Claim
from tercet.schemas.classification import Classification
from tercet.schemas.decision import Decision
from tercet.schemas.experience import ExperienceV1
from tercet.schemas.experience_v2 import Experience
from tercet.schemas.explain import Explain
from tercet.schemas.explanation import Explanation
from tercet.schemas.exploration import Exploration
from tercet.schemas.goal import GoalSet
from tercet.schemas.learning import Learning
from tercet.schemas.message import Message
from tercet.schemas.outcome import Outcome
from tercet.schemas.parameters import Parameters
from tercet.schemas.plan import Plan
from tercet.schemas.planned import Planned
from tercet.schemas.policy import PolicySet
from tercet.schemas.request import Request
from tercet.schemas.reset import Reset
from tercet.schemas.result import Result
from tercet.schemas.round import Round
from tercet.schemas.telemetry import Telemetry
from tercet.schemas.truth import Truth
from tercet.schemas.window_v1 import Window
from tercet.schemas.worker import Worker

MESSAGES: tuple[type[Message], ...] = (
    Request,
    Decision,
    Round,
    Window,
    Classification,
    Outcome,
    Result,
    Telemetry,
    Capability,
    Experience,
    ExperienceV1,
    Planned,
    Plan,
    Parameters,
    Worker,
    Claim,
    GoalSet,
    Exploration,
    PolicySet,
    Reset,
    Explain,
    Explanation,
    Learning,
    Truth,
)

CATALOGUE: dict[str, type[Message]] = {m.model_fields["type"].default: m for m in MESSAGES}
"""`decision.v1` to its class, and so on."""

FROZEN = Path(__file__).parent / "json"
"""The published schemas; tests/unit/test_schemas.py allows only additions."""


def json_schema(kind: str) -> str:
    """Return the JSON Schema of one message type as text, stable for version control."""
    return json.dumps(CATALOGUE[kind].model_json_schema(), indent=1, sort_keys=True) + "\n"


def _without_description(field: dict[str, Any] | None) -> dict[str, Any] | None:
    return None if field is None else {k: v for k, v in field.items() if k != "description"}


def is_compatible(frozen: dict[str, Any], current: dict[str, Any]) -> bool:
    """Whether `current` only adds optional fields to `frozen`, in it and in its parts.

    Descriptions may change.
    """
    if not set(current.get("required", ())) <= set(frozen.get("required", ())):
        return False
    for name, field in frozen.get("properties", {}).items():
        if _without_description(current.get("properties", {}).get(name)) != _without_description(
            field
        ):
            return False
    return all(
        name in current.get("$defs", {}) and is_compatible(part, current["$defs"][name])
        for name, part in frozen.get("$defs", {}).items()
    )


def write(directory: Path = FROZEN) -> None:
    """Write every schema; run `python -m tercet.schemas` after adding a field.

    Raises ValueError, and writes nothing, when a published version would change in another way:
    that needs a new version, with a subject and a file of its own.
    """
    directory.mkdir(exist_ok=True)
    for kind in CATALOGUE:
        file = directory / f"{kind}.json"
        if file.exists() and not is_compatible(
            json.loads(file.read_text()), json.loads(json_schema(kind))
        ):
            raise ValueError(f"{kind} changes more than additions: make it a new version")
    for kind in CATALOGUE:
        (directory / f"{kind}.json").write_text(json_schema(kind))
