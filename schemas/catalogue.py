"""Every message class by its type, and the JSON Schemas that are generated from them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from schemas.capability import Capability
from schemas.claim import Claim
from schemas.classification import Classification
from schemas.decision import Decision
from schemas.experience import Experience
from schemas.explain import Explain
from schemas.explanation import Explanation
from schemas.exploration import Exploration
from schemas.goal import GoalSet
from schemas.learning import Learning
from schemas.message import Message
from schemas.outcome import Outcome
from schemas.parameters import Parameters
from schemas.plan import Plan
from schemas.planned import Planned
from schemas.policy import PolicySet
from schemas.request import Request
from schemas.reset import Reset
from schemas.round import Round
from schemas.telemetry import Telemetry
from schemas.truth import Truth
from schemas.worker import Worker

MESSAGES: tuple[type[Message], ...] = (
    Request,
    Decision,
    Round,
    Classification,
    Outcome,
    Telemetry,
    Capability,
    Experience,
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
"""The schemas as published; tests/test_schemas.py lets them only grow."""


def json_schema(kind: str) -> str:
    """Return the JSON Schema of one message type as text, stable for version control."""
    return json.dumps(CATALOGUE[kind].model_json_schema(), indent=1, sort_keys=True) + "\n"


def _meaning(field: dict[str, Any] | None) -> dict[str, Any] | None:
    return None if field is None else {k: v for k, v in field.items() if k != "description"}


def grows(frozen: dict[str, Any], current: dict[str, Any]) -> bool:
    """Tell whether `current` only adds optional fields to `frozen`, in it and in its parts.

    Words of description may be mended; they are for people.
    """
    if not set(current.get("required", ())) <= set(frozen.get("required", ())):
        return False
    for name, field in frozen.get("properties", {}).items():
        if _meaning(current.get("properties", {}).get(name)) != _meaning(field):
            return False
    return all(
        name in current.get("$defs", {}) and grows(part, current["$defs"][name])
        for name, part in frozen.get("$defs", {}).items()
    )


def write(directory: Path = FROZEN) -> None:
    """Write every schema; run `python -m schemas` after a field was added.

    Raises ValueError, and writes nothing, when a published version would change otherwise: that
    is a new version, with a subject and a file of its own.
    """
    directory.mkdir(exist_ok=True)
    for kind in CATALOGUE:
        file = directory / f"{kind}.json"
        if file.exists() and not grows(json.loads(file.read_text()), json.loads(json_schema(kind))):
            raise ValueError(f"{kind} does not only grow: make it a new version")
    for kind in CATALOGUE:
        (directory / f"{kind}.json").write_text(json_schema(kind))
