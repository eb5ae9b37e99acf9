"""The environment of a simulated system, from its name; a wrong one ends the process cleanly."""

from __future__ import annotations

from tercet.process.errors import Misconfigured
from tercet.sim.environment import Environment
from tercet.sim.factories import environment


def load(spec: str, users: int) -> Environment:
    """Make the environment; raises Misconfigured, which names what is wrong with the name."""
    try:
        return environment(spec, users)
    except ValueError as error:
        raise Misconfigured(f"world {spec!r}: {error}") from error
