"""A version of a message only grows; subjects follow from fields; ids follow from causes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from tercet.schemas.catalogue import CATALOGUE, FROZEN, is_compatible, json_schema, write
from tercet.schemas.decision import Decision
from tercet.schemas.outcome import Outcome
from tercet.schemas.planned import Planned
from tercet.schemas.request import Request
from tercet.schemas.round import Round


@pytest.mark.parametrize("kind", CATALOGUE)
def test_a_version_only_grows(kind: str) -> None:
    frozen = json.loads((FROZEN / f"{kind}.json").read_text())
    assert is_compatible(frozen, json.loads(json_schema(kind)))


@pytest.mark.parametrize("kind", CATALOGUE)
def test_the_published_schema_is_current(kind: str) -> None:
    """After a field was added: `python -m tercet.schemas`."""
    assert (FROZEN / f"{kind}.json").read_text() == json_schema(kind)


def test_a_changed_version_is_not_written(tmp_path: Path) -> None:
    """Not even by `python -m tercet.schemas`, run to make the other tests pass."""
    write(tmp_path)
    file = tmp_path / "decision.v1.json"
    published = json.loads(file.read_text())
    published["properties"]["colour"] = {"type": "string"}  # A field that writing would drop.
    file.write_text(json.dumps(published))
    with pytest.raises(ValueError, match=r"decision\.v1"):
        write(tmp_path)
    assert json.loads(file.read_text()) == published


def test_growth_is_distinguished_from_change() -> None:
    old = {"properties": {"a": {"type": "string"}}, "required": ["a"]}
    more = {"properties": {"a": {"type": "string"}, "b": {"type": "number"}}, "required": ["a"]}
    assert is_compatible(old, more)
    assert not is_compatible(old, {**more, "required": ["a", "b"]})
    assert not is_compatible(old, {"properties": {"a": {"type": "number"}}, "required": ["a"]})
    assert not is_compatible(old, {"properties": {}, "required": []})


@pytest.mark.parametrize("kind", CATALOGUE)
def test_each_type_is_its_subject_without_the_tokens(kind: str) -> None:
    assert CATALOGUE[kind].SUBJECT.partition(".{")[0] == kind


def test_subjects_carry_the_id() -> None:
    request = Request(device="cam-7")
    assert request.subject == "request.v1.cam-7"
    assert Request.pattern() == "request.v1.*"
    assert Request.pattern(device="cam-7") == "request.v1.cam-7"


def test_a_consequence_derives_its_id() -> None:
    opened = Round(number=1, devices=("a", "b"), policy="explore")
    one = Request.caused_by(opened, key="a", device="a")
    again = Request.caused_by(opened, key="a", device="a")
    other = Request.caused_by(opened, key="b", device="b")
    assert one.id == again.id != other.id
    assert one.cause == opened.id


def test_new_fields_of_a_newer_sender_are_ignored() -> None:
    body = Request(device="a").model_dump() | {"colour": "blue"}
    assert Request.model_validate(body).device == "a"


@pytest.mark.parametrize("device", ["", "a.b", "a b", "*", ">", "x" * 65, "<script>"])
def test_a_name_is_one_token(device: str) -> None:
    with pytest.raises(ValidationError):
        Request(device=device)


@pytest.mark.parametrize("ms", [-1.0, float("nan"), float("inf")])
def test_times_are_finite_and_not_negative(ms: float) -> None:
    with pytest.raises(ValidationError):
        Outcome(device="a", node="a", executed="d0@L", response_ms=ms)


@pytest.mark.parametrize("option", ["d0", "d0@X", "@L", "d0@L@E", ""])
def test_an_option_is_variant_and_tier(option: str) -> None:
    with pytest.raises(ValidationError):
        Decision(device="a", option=option, node="a", goal="85", policy="explore")


@pytest.mark.parametrize("goal", ["min", "max", "0", "85", "99.9", "100"])
def test_valid_goals(goal: str) -> None:
    assert Decision(device="a", option="d0@L", node="a", goal=goal, policy="x").goal == goal


@pytest.mark.parametrize("goal", ["", "101", "-1", "100.5", "nan", "best"])
def test_invalid_goals(goal: str) -> None:
    with pytest.raises(ValidationError):
        Decision(device="a", option="d0@L", node="a", goal=goal, policy="x")


def test_planned_shapes_must_agree() -> None:
    fleet = {
        "devices": ["a"],
        "home": ["e"],
        "options": ["d0@L"],
        "accuracy_pct": {"d0": 89.9},
    }
    base = {"member": 0, "version": 0, "goal": "85", "fleet": fleet, "active": ["a"], "state": {}}
    assert Planned.model_validate({**base, "choice": [[0]], "response_ms": [[5.0]]})
    for choice, response in ([[[0]], []], [[[0, 0]], [[1.0]]], [[[1]], [[1.0]]]):
        with pytest.raises(ValidationError):
            Planned.model_validate({**base, "choice": choice, "response_ms": response})
