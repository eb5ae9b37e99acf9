"""A missing optional dependency, reported as what to install."""

from __future__ import annotations

from importlib.util import find_spec

from tercet.process.errors import Misconfigured


def require(module: str, extra: str) -> None:
    """Raise Misconfigured, with the extra to install, unless a module is installed."""
    if find_spec(module) is None:
        raise Misconfigured(f"{module} is not installed: pip install 'tercet[{extra}]'")
