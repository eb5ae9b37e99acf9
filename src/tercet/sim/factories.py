"""Objects by name, `package.module:factory`: an environment, or an agent of somebody else."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from tercet.sim.checks import checked
from tercet.sim.environment import Environment, missing_members
from tercet.sim.scenarios import paper

PAPER = "paper-"
"""Start of the names of the paper's scenarios, `paper-A` to `paper-D`."""


def environment(spec: str, users: int = 5) -> Environment:
    """Make an environment: a scenario of the paper for `users`, or what a factory returns.

    ValueError that names what is wrong with `spec`.
    """
    if spec.startswith(PAPER):
        return paper(spec.removeprefix(PAPER), users)
    if ":" not in spec:
        raise ValueError("expected paper-A..D or package.module:factory")
    return made(spec)


def made(spec: str, **arguments: Any) -> Environment:
    """What the factory `spec` makes of its arguments; its answers are checked at every call.

    ValueError in one line when it makes no environment.
    """
    found = call(spec, **arguments)
    if missing := missing_members(found):
        raise ValueError(f"it made something without {missing}")
    return checked(cast(Environment, found))


def call(spec: str, *positional: Any, **arguments: Any) -> Any:
    """Import `package.module:factory`, and call it; ValueError in one line when that fails.

    The module may lie in the working directory.
    """
    module, _, factory = spec.partition(":")
    if not module or not factory:
        raise ValueError("expected package.module:factory")
    try:
        with _working_directory_first():
            return getattr(importlib.import_module(module), factory)(*positional, **arguments)
    except (ImportError, AttributeError, TypeError) as error:
        raise ValueError(str(error)) from error


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
