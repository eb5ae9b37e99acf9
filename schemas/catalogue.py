"""Every message class by its type, and the JSON Schemas that are generated from them."""

from __future__ import annotations

import json
from pathlib import Path

from schemas.capability import Capability
from schemas.classification import Classification
from schemas.decision import Decision
from schemas.experience import Experience
from schemas.goal import GoalSet
from schemas.message import Message
from schemas.outcome import Outcome
from schemas.parameters import Parameters
from schemas.plan import Plan
from schemas.planned import Planned
from schemas.request import Request
from schemas.reset import Reset
from schemas.round import Round
from schemas.telemetry import Telemetry
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
    GoalSet,
    Reset,
)

CATALOGUE: dict[str, type[Message]] = {m.model_fields["type"].default: m for m in MESSAGES}
"""`decision.v1` to its class, and so on."""

FROZEN = Path(__file__).parent / "json"
"""The schemas as published; tests/test_schemas.py lets them only grow."""


def json_schema(kind: str) -> str:
    """Return the JSON Schema of one message type as text, stable for version control."""
    return json.dumps(CATALOGUE[kind].model_json_schema(), indent=1, sort_keys=True) + "\n"


def write(directory: Path = FROZEN) -> None:
    """Write every schema; run `python -m schemas` after a field was added."""
    directory.mkdir(exist_ok=True)
    for kind in CATALOGUE:
        (directory / f"{kind}.json").write_text(json_schema(kind))
