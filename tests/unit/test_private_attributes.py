"""Messaging and process use the public interface of other objects, nats-py's among them."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import tercet.messaging
import tercet.process

FILES = [
    file
    for package in (tercet.messaging, tercet.process)
    for file in sorted(Path(package.__path__[0]).rglob("*.py"))
]


def foreign_private_attributes(source: str) -> list[str]:
    """Return every `object._name` where the object is neither `self` nor `cls`."""
    return [
        ast.unparse(node)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Attribute)
        and node.attr.startswith("_")
        and not node.attr.startswith("__")
        and not (isinstance(node.value, ast.Name) and node.value.id in ("self", "cls"))
    ]


@pytest.mark.parametrize("file", FILES, ids=lambda f: f"{f.parent.name}/{f.name}")
def test_no_private_attribute_of_another_object_is_used(file: Path) -> None:
    assert foreign_private_attributes(file.read_text()) == []


def test_the_check_finds_them() -> None:
    source = "self._service._endpoints[-1]._subscription\nself._bus.client\n"
    assert foreign_private_attributes(source) == [
        "self._service._endpoints[-1]._subscription",
        "self._service._endpoints",
    ]
