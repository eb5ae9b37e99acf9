"""An environment from its name: a scenario of the paper, or a factory in any module."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tercet.process.errors import Misconfigured
from tercet.sim.environment import Environment, missing_members
from tercet.sim.scenarios import paper

PAPER = "paper-"


def load(spec: str, users: int) -> Environment:
    """Make the environment; raises Misconfigured, which names what is wrong with the name.

    The module may lie in the working directory.
    """
    if spec.startswith(PAPER):
        try:
            return paper(spec.removeprefix(PAPER), users)
        except ValueError as error:
            raise Misconfigured(f"world {spec!r}: {error}") from error
    module, colon, factory = spec.partition(":")
    if not colon:
        raise Misconfigured(f"world {spec!r}: expected paper-A..D or package.module:factory")
    try:
        with _working_directory_first():
            world: Environment = getattr(importlib.import_module(module), factory)()
    except (ImportError, AttributeError, TypeError) as error:
        raise Misconfigured(f"world {spec!r}: {error}") from error
    if missing := missing_members(world):
        raise Misconfigured(f"world {spec!r}: it made something without {missing}")
    return world


@contextmanager
def _working_directory_first() -> Iterator[None]:
    """Search modules in the working directory first; outside only last, so it shadows nothing."""
    here = str(Path.cwd())
    sys.path.insert(0, here)
    try:
        yield
    finally:
        sys.path.remove(here)
        sys.path.append(here)
