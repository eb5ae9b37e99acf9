"""`tercet` starts quickly: it imports only what the verb needs."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import version

import pytest
from typer.core import TyperCommand, TyperGroup

from tercet.cli.app import VERBS, load
from tercet.cli.reference import FILE, text

MACHINE_LEARNING = {"numpy", "torch", "onnx", "onnxruntime", "h5py", "safetensors", "scipy", "PIL"}
OTHER_VERBS = {"docker", "matplotlib", "cryptography", "starlette", "uvicorn", "pyarrow"}
BUS = {"nats", "pydantic", "pydantic_settings", "prometheus_client"}
OUTPUT = {"structlog", "rich"}
"""Needed only for records of the log, help texts and terminals."""


def run(*arguments: str, code: int = 0) -> tuple[str, set[str]]:
    """Output of `tercet`, and the top-level names of all modules that it imported."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "tercet.cli", *arguments],
        env={**os.environ, "COLUMNS": "400"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    return done.stdout, {line.rpartition("|")[2].strip().partition(".")[0] for line in lines}


def test_help_imports_no_service_and_no_library_of_one() -> None:
    shown, imported = run("--help")
    assert all(verb in shown and summary in shown for verb, summary in VERBS.items())
    assert "typer" in imported
    assert imported & (MACHINE_LEARNING | OTHER_VERBS | BUS | {"structlog"}) == set()


def test_status_imports_the_bus_and_nothing_of_other_verbs() -> None:
    _, imported = run("status", "--bus=nats://127.0.0.1:9", code=2)
    assert imported >= BUS
    assert imported & (MACHINE_LEARNING | OTHER_VERBS | OUTPUT) == set()


def test_the_version_is_that_of_the_distribution() -> None:
    shown, imported = run("--version")
    assert shown == f"tercet {version('tercet')}\n"
    assert imported & (MACHINE_LEARNING | OTHER_VERBS | BUS | OUTPUT) == set()


@pytest.mark.parametrize("verb", VERBS)
def test_the_list_of_verbs_shows_the_first_line_of_their_help(verb: str) -> None:
    command = load(verb)
    assert command.name == verb
    assert (command.help or "").partition("\n")[0] == VERBS[verb]


@pytest.mark.parametrize("verb", VERBS)
def test_each_command_has_an_example(verb: str) -> None:
    def commands(found: TyperCommand | TyperGroup) -> list[TyperCommand | TyperGroup]:
        inside = found.commands.values() if isinstance(found, TyperGroup) else ()
        return [found, *(c for each in inside for c in commands(each))]

    for command in commands(load(verb)):
        assert f"[bold]tercet {verb}" in (command.epilog or ""), command.name


def test_the_reference_is_current() -> None:
    """After a verb or an option was changed: `python -m tercet.cli.reference`."""
    assert FILE.read_text() == text()
