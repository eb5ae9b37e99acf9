"""Messages found by fuzzing: valid by their schema, but useless as training data."""

from __future__ import annotations

import json

import pytest

from tercet.messaging.parsing import parse
from tercet.process.errors import Unprocessable
from tercet.schemas import CATALOGUE

NO_DEVICES = {"devices": [], "home": [], "options": [], "accuracy_pct": {}}
EMPTY = {
    "experience.v1.real": {
        "round": 1, "policy": "x", "goal": "85", "fleet": NO_DEVICES, "active": [], "state": {},
        "next_state": {}, "assigned": {}, "executed": {}, "response_ms": {}, "average_ms": 0,
        "accuracy_pct": 0,
    },
    "plan.v1": {"goal": "85", "fleet": NO_DEVICES, "active": [], "state": {}},
    "experience.v1.planned": {
        "member": 0, "version": 0, "goal": "85", "fleet": NO_DEVICES, "active": [], "state": {},
        "choice": [[]], "response_ms": [[]],
    },
}  # fmt: skip


@pytest.mark.parametrize("kind", EMPTY)
def test_a_round_without_devices_is_refused(kind: str) -> None:
    with pytest.raises(Unprocessable, match="active must name a device"):
        parse(CATALOGUE[kind], json.dumps(EMPTY[kind]).encode(), kind)


def test_a_message_on_the_subject_of_another_device_is_refused() -> None:
    body = json.dumps({"device": "b"}).encode()
    assert parse(CATALOGUE["request.v1"], body, "request.v1.b").subject == "request.v1.b"
    with pytest.raises(Unprocessable, match="belongs on request"):
        parse(CATALOGUE["request.v1"], body, "request.v1.a")
