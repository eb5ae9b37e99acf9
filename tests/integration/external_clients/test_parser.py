"""The document is valid by AsyncAPI's own parser, which is shown to refuse broken ones.

The parser is installed once by npm into pytest's cache, at the versions of `package-lock.json`.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tercet.schemas.asyncapi import DOCUMENT, document
from tercet.schemas.catalogue import CATALOGUE

HERE = Path(__file__).parent / "asyncapi"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

Parse = Callable[[Path], dict[str, Any]]


@pytest.fixture(scope="session")
def parse(pytestconfig: pytest.Config) -> Parse:
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm is None or node is None:
        pytest.skip("npm is not installed: AsyncAPI's parser cannot be had")
    lock = HERE / "package-lock.json"
    assert pytestconfig.cache is not None
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()[:16]
    home = pytestconfig.cache.mkdir(f"asyncapi-{digest}")
    installed = home / "installed"
    if not installed.exists():
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / name, home)
        command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        run = subprocess.run(command, cwd=home, capture_output=True, text=True, check=False)
        assert run.returncode == 0, run.stderr
        installed.touch()
    shutil.copy(HERE / "parse.mjs", home)

    def parse(file: Path) -> dict[str, Any]:
        command = [node, "parse.mjs", str(file)]
        run = subprocess.run(command, cwd=home, capture_output=True, text=True, check=False)
        assert run.returncode == 0, run.stderr
        return json.loads(run.stdout)

    return parse


def errors(parsed: dict[str, Any]) -> list[dict[str, str]]:
    return [entry for entry in parsed["said"] if entry["level"] == "error"]


def test_the_document_is_valid(parse: Parse) -> None:
    parsed = parse(DOCUMENT)
    for entry in parsed["said"]:
        print(entry["level"], entry["path"], entry["message"])
    assert errors(parsed) == []
    assert parsed["version"] == "3.0.0"
    subjects = {message.SUBJECT for message in CATALOGUE.values()}
    assert set(parsed["addresses"]) - {None} == subjects
    assert parsed["actions"]["publishOutcome"] == "send"
    assert parsed["actions"]["receiveRound"] == "receive"
    assert sorted(parsed["asked"]) == [
        "answerInference",
        "requestDecision",
        "requestExplanation",
        "requestInference",
    ]


def no_action(tree: dict[str, Any]) -> None:
    del tree["operations"]["publishOutcome"]["action"]


def nowhere(tree: dict[str, Any]) -> None:
    tree["operations"]["receiveRound"]["channel"]["$ref"] = "#/channels/nowhere"


def no_such_type(tree: dict[str, Any]) -> None:
    tree["components"]["schemas"]["Round"]["type"] = "objekt"


def no_title(tree: dict[str, Any]) -> None:
    del tree["info"]["title"]


@pytest.mark.parametrize("spoil", [no_action, nowhere, no_such_type, no_title])
def test_a_broken_document_is_refused(
    parse: Parse, tmp_path: Path, spoil: Callable[[dict[str, Any]], None]
) -> None:
    tree = document()
    spoil(tree)
    file = tmp_path / "broken.yaml"
    file.write_text(yaml.safe_dump(tree))
    assert errors(parse(file)) != []
