"""The bus for external clients: an AsyncAPI 3.0 document, generated from the catalogue.

`python -m tercet.schemas` writes it to `schemas/asyncapi.yaml`. It needs PyYAML; services do not.
"""

from __future__ import annotations

import inspect
import re
import sys
from pathlib import Path
from typing import Any

import yaml
from pydantic.json_schema import models_json_schema

from tercet.schemas.catalogue import CATALOGUE
from tercet.schemas.classification import Classification
from tercet.schemas.decision import Decision
from tercet.schemas.explanation import Explanation
from tercet.schemas.external_clients import (
    BY_HAND,
    GUIDE,
    HEADERS,
    OPERATIONS,
    PARAMETERS,
    STREAMS,
    Operation,
)
from tercet.schemas.message import Message
from tercet.schemas.message_examples import EXAMPLES

DOCUMENT = Path(__file__).parent / "asyncapi.yaml"

VERSION = "2.0.0"
"""Version of the contract: minor when fields or messages are added, major with a `v2` subject."""

REPLIES: dict[str, type[Message]] = {
    "request.v1": Decision,
    "inference.v1": Classification,
    "explain.v1": Explanation,
}
"""Request types, and the class of their reply."""

RAW = {"inference.v1": "Picture"}
"""Requests with a raw body instead of JSON, described by hand."""

Tree = dict[str, Any]


def document() -> Tree:
    """Return the whole document."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Tercet",
            "version": VERSION,
            "description": GUIDE,
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {
            "nearest": {
                "host": "{broker}",
                "protocol": "nats",
                "description": "The nearest broker: at an edge with a broker of its own, that one.",
                "variables": {"broker": {"default": "127.0.0.1:4222"}},
            }
        },
        "channels": _channels(),
        "operations": {o.name: _operation(o) for o in (*OPERATIONS, *_rest())},
        "components": {"messages": _messages(), "schemas": _schemas()},
    }


def text() -> str:
    """Return the document as YAML, stable for version control."""
    body: str = yaml.dump(document(), Dumper=_Plain, sort_keys=False, allow_unicode=True, width=100)
    return "# Generated from the catalogue by `python -m tercet.schemas`; do not edit.\n" + body


def write(file: Path = DOCUMENT) -> None:
    """Write the document; run `python -m tercet.schemas` after adding a field."""
    file.write_text(text())


def channel_name(kind: str) -> str:
    """Return the channel name of a type: `experience-real` for `experience.v1.real`."""
    return re.sub(r"\.v(\d+)", lambda m: "" if m[1] == "1" else f"-v{m[1]}", kind).replace(".", "-")


def _channels() -> Tree:
    channels: Tree = {}
    for kind, message in CATALOGUE.items():
        name = RAW.get(kind, message.__name__)
        channels[channel_name(kind)] = {
            "address": message.SUBJECT,
            "summary": _opening(message),
            **({"description": _kept(kind)} if kind in STREAMS else {}),
            "messages": {name: _message_ref(name)},
            **_parameters(message),
        }
    for kind, reply in REPLIES.items():
        channels[f"{channel_name(kind)}-reply"] = {
            "address": None,
            "summary": f"Where the reply to {kind} goes.",
            "description": "The reply subject of the NATS request: any client's `request` "
            "makes one and waits on it.",
            "messages": {name: _message_ref(name) for name in (reply.__name__, "ServiceError")},
        }
    return channels


def _operation(operation: Operation) -> Tree:
    kind, channel = operation.kind, channel_name(operation.kind)
    message = RAW.get(kind, CATALOGUE[kind].__name__)
    described: Tree = {
        "action": operation.action,
        "channel": {"$ref": f"#/channels/{channel}"},
        "summary": operation.summary,
        "messages": [{"$ref": f"#/channels/{channel}/messages/{message}"}],
    }
    if operation.action == "send" and CATALOGUE[kind].KEPT:
        described["description"] = (
            "Publish to JetStream and wait for the acknowledgement; without it publish again "
            "with the same `Nats-Msg-Id`."
        )
    if kind in REPLIES:
        replies = f"#/channels/{channel}-reply"
        described["reply"] = {
            "channel": {"$ref": replies},
            "messages": [
                {"$ref": f"{replies}/messages/{name}"}
                for name in (REPLIES[kind].__name__, "ServiceError")
            ],
        }
    return described


def _rest() -> list[Operation]:
    """Return an operation for each internal message type."""
    described = {o.kind for o in OPERATIONS}
    return [
        Operation(
            f"receive{message.__name__}",
            "receive",
            kind,
            "Internal traffic; a fleet does not need it.",
        )
        for kind, message in CATALOGUE.items()
        if kind not in described
    ]


def _messages() -> Tree:
    messages = {m.__name__: _message(kind, m) for kind, m in CATALOGUE.items()}
    return messages | BY_HAND


def _message(kind: str, message: type[Message]) -> Tree:
    described: Tree = {
        "name": kind,
        "title": message.__name__,
        "summary": " ".join((inspect.getdoc(message) or "").partition("\n\n")[0].split()),
        "contentType": "application/json",
        "payload": {"$ref": f"#/components/schemas/{message.__name__}"},
    }
    if kind not in RAW:
        headers = "KeptHeaders" if message.KEPT else "Headers"
        described["headers"] = {"$ref": f"#/components/schemas/{headers}"}
        described["correlationId"] = {
            "description": "`cause` is the `id` of the message that led to this one.",
            "location": "$message.payload#/cause",
        }
    if kind in EXAMPLES:
        described["examples"] = [{"payload": EXAMPLES[kind]}]
    return described


def _schemas() -> Tree:
    _, found = models_json_schema(
        [(m, "validation") for m in CATALOGUE.values()],
        ref_template="#/components/schemas/{model}",
    )
    return {**found["$defs"], **HEADERS}


def _parameters(message: type[Message]) -> Tree:
    tokens = re.findall(r"{(\w+)}", message.SUBJECT)
    described = {token: {"description": PARAMETERS[token]} for token in tokens}
    return {"parameters": described} if described else {}


def _kept(kind: str) -> str:
    how = "*kept*: published with acknowledgement" if CATALOGUE[kind].KEPT else "plain publish"
    return f"Stored in the JetStream stream {STREAMS[kind]}; {how}."


def _opening(message: type[Message]) -> str:
    """Return the first line of the message's module, without the subject."""
    first = (inspect.getdoc(sys.modules[message.__module__]) or "").partition("\n")[0]
    return first.partition(": ")[2] or first


def _message_ref(name: str) -> Tree:
    return {"$ref": f"#/components/messages/{name}"}


class _Plain(yaml.SafeDumper):
    """A YAML dumper without aliases, long texts as blocks."""

    def ignore_aliases(self, data: object) -> bool:
        """Write every value in full."""
        return True


def _block(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    style = "|" if "\n" in value else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Plain.add_representer(str, _block)
