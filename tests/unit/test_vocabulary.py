"""Names are the field's standard terms: no word of the first edition's own vocabulary is left.

A word is looked for in the parts of every name that is defined: classes, functions, parameters,
variables, attributes, imports under another name, and files. `on_trial` has the parts `on` and
`trial`. The words of `ANYWHERE` are looked for in all text, comments and documents included.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("src/tercet", "services", "schemas", "benchmarks", "tests", "examples")

# By subject: messages and streams, the decider, training, then all other rooms.
OLD_WORDS = """
bury buried burying burial ear ears hear hears heard hearing overhear overheard
say says said saying tell tells telling told voice trouble

conductor ledger roster situation adoption court trial condemn condemned acquit acquitted
verdict obey obeyed unobeyed heed heeded unheeded orders thinker thinking births

learner mind minds newborn students lesson lessons foresee foresight purse

desk journey crew warden shelf recipe rival rivals errand errands wish wishes complaint
complaints judge zoo bench patience
"""
IN_NAMES = frozenset(OLD_WORDS.split())

ALLOWED = {
    # Stored or transmitted: fields of JSON, names of users and durables, environment variables.
    "LEARNER": "the role of the user `learner`",
    "obeyed": "field of policy.v1's state, schemas/versions.py",
    "unheeded": "field of policy.v1's state, schemas/versions.py",
    "on_trial": "field of policy.v1's state, schemas/versions.py",
    "verdict": "field of `tercet doctor --json`",
    "connect_patience": "TERCET_CONNECT_PATIENCE",
    "dashboard_patience": "TERCET_DASHBOARD_PATIENCE",
    "evaluation_patience": "TERCET_EVALUATION_PATIENCE",
    "queue_patience": "TERCET_QUEUE_PATIENCE",
    "staleness_patience": "TERCET_STALENESS_PATIENCE",
    # The field's own terms.
    "patience": "epochs without improvement before training stops",
    "complaints": "errors and warnings of a browser's console, tests/integration/dashboard",
    "test_quantiles_are_those_of_students_distribution": "Student's t",
}
"""Name to why it stays."""

ANYWHERE = re.compile(
    r"(?<![\"'])\b(bury|buried|burial|overhears?|overheard|Conductor|Roster|Thinker|newborn"
    r"|condemn(ed|s)?|acquit(s|ted)?|unobeyed|zoo|Errands|Rivals|the durable rings"
    r"|finish its sentence|nobody dies)\b(?![\"'])"
)
"""Words and phrases that have no other meaning here; a word in quotes is a field's name."""

HISTORY = (
    "docs/decisions/",
    "CHANGELOG.md",
    "benchmarks/results/",
    "tests/unit/test_vocabulary.py",
)
"""Records of the past keep their words."""


def files(*patterns: str) -> Iterator[Path]:
    """All files of ours that match, through no link."""
    for room in ROOMS:
        for pattern in patterns:
            for file in (ROOT / room).rglob(pattern):
                folders = (f for f in file.parents if f != ROOT and f.is_relative_to(ROOT))
                if not any(folder.is_symlink() for folder in folders):
                    yield file


def parts(name: str) -> set[str]:
    """The words of an identifier, in lower case."""
    return {p.lower() for p in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)}


def defined(source: str) -> Iterator[str]:
    """Every name that a module defines."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                yield node.name
            case ast.arg():
                yield node.arg
            case ast.Name(ctx=ast.Store()):
                yield node.id
            case ast.Attribute(ctx=ast.Store()):
                yield node.attr
            case ast.alias(asname=str() as name):
                yield name


@cache
def names() -> dict[str, set[str]]:
    """Word to the places, `file: name`, where it is part of a defined name."""
    found: dict[str, set[str]] = {word: set() for word in IN_NAMES}
    for file in files("*.py", "*.js"):
        place = file.relative_to(ROOT)
        defines = defined(file.read_text()) if file.suffix == ".py" else ()
        for name in (file.stem, *defines):
            if name not in ALLOWED:
                for word in parts(name) & IN_NAMES:
                    found[word].add(f"{place}: {name}")
    return found


@pytest.mark.parametrize("word", sorted(IN_NAMES))
def test_no_name_contains_the_word(word: str) -> None:
    assert sorted(names()[word]) == []


def test_no_text_contains_the_words() -> None:
    documents = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "compose").rglob("*")]
    texts = [*files("*.py", "*.js", "*.html", "*.md"), *(d for d in documents if d.is_file())]
    found = [
        f"{file.relative_to(ROOT)}:{number}: {match[0]}"
        for file in texts
        if not str(file.relative_to(ROOT)).startswith(HISTORY)
        for number, line in enumerate(file.read_text().splitlines(), 1)
        if (match := ANYWHERE.search(line))
    ]
    assert sorted(found) == []


@pytest.mark.parametrize(
    ("name", "word"), [("on_trial", "trial"), ("_obeyLater", "obey"), ("BUS_TROUBLE", "trouble")]
)
def test_a_word_is_found_within_a_name(name: str, word: str) -> None:
    assert word in parts(name)


def test_every_allowed_name_is_used_somewhere() -> None:
    used = {name for file in files("*.py") for name in defined(file.read_text())}
    assert sorted(ALLOWED.keys() - used) == []
