"""The AsyncAPI document is current, complete, and agrees with services and streams."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from tercet.experience.fleets import fleet_of
from tercet.messaging.topology import stream_of
from tercet.schemas import asyncapi
from tercet.schemas.capability import Capability
from tercet.schemas.catalogue import CATALOGUE
from tercet.schemas.external_clients import STREAMS
from tercet.schemas.message_examples import EXAMPLES

TREE = asyncapi.document()


def test_the_committed_document_is_current() -> None:
    """After a field was added: `python -m tercet.schemas`."""
    assert asyncapi.DOCUMENT.read_text() == asyncapi.text()
    assert yaml.safe_load(asyncapi.DOCUMENT.read_text()) == TREE


@pytest.mark.parametrize("kind", CATALOGUE)
def test_every_message_has_a_channel_and_an_operation(kind: str) -> None:
    name = asyncapi.channel_name(kind)
    channel = TREE["channels"][name]
    assert channel["address"] == CATALOGUE[kind].SUBJECT
    assert set(channel.get("parameters", {})) == set(re.findall(r"{(\w+)}", channel["address"]))
    used = {o["channel"]["$ref"] for o in TREE["operations"].values()}
    assert f"#/channels/{name}" in used


@pytest.mark.parametrize("kind", CATALOGUE)
def test_the_streams_it_names_are_those_of_the_topology(kind: str) -> None:
    try:
        stream = stream_of(CATALOGUE[kind].pattern())
    except KeyError:
        stream = None
    assert STREAMS.get(kind) == stream
    if CATALOGUE[kind].KEPT:
        assert stream is not None


def test_kept_messages_require_their_id_as_a_header() -> None:
    for kind, message in CATALOGUE.items():
        headers = TREE["components"]["messages"][message.__name__].get("headers", {})
        required = headers.get("$ref", "").endswith("/KeptHeaders")
        assert required == message.KEPT, kind


def test_every_reference_resolves() -> None:
    for reference in re.findall(r'"\$ref": "([^"]+)"', json.dumps(TREE)):
        found = TREE
        for part in reference.removeprefix("#/").split("/"):
            found = found[part]


@pytest.mark.parametrize("kind", EXAMPLES)
def test_the_examples_are_messages(kind: str) -> None:
    message = CATALOGUE[kind].model_validate_json(json.dumps(EXAMPLES[kind]))
    assert set(EXAMPLES[kind]) <= set(type(message).model_fields)


def test_descriptions_include_units() -> None:
    outcome = TREE["components"]["schemas"]["Outcome"]["properties"]["response_ms"]
    assert outcome["description"].endswith(", ms")


def test_the_lock_file_names_no_registry() -> None:
    lock = json.loads((Path(__file__).parent / "asyncapi" / "package-lock.json").read_text())
    assert [name for name, package in lock["packages"].items() if "resolved" in package] == []


def test_an_option_is_offered_when_one_device_can_run_it_as_the_document_states() -> None:
    strong = Capability(node="a", tier="device", home="e", accuracy_pct={"d0": 89.9, "d3": 80.0})
    weak = Capability(node="b", tier="device", home="e", accuracy_pct={"d3": 80.0})
    fleet = fleet_of([strong, weak])
    assert fleet is not None
    assert set(fleet.options) == {"d0@L", "d3@L"}
    assert fleet.lacks == {"b": ("d0",)}
    guide = " ".join(TREE["info"]["description"].split())
    assert "An option is offered when at least one device (or edge, or the cloud)" in guide
