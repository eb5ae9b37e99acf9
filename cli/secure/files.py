"""Files of a site: secrets only for their owner, and never half written."""

from __future__ import annotations

import os
from pathlib import Path


def write_public(path: Path, content: bytes) -> None:
    """Write what anyone may read."""
    _write(path, content, 0o644)


def write_secret(path: Path, content: bytes) -> None:
    """Write what only the owner may read; it is never readable by others, not for a moment."""
    _write(path, content, 0o600)


def _write(path: Path, content: bytes, mode: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.new")
    fresh.unlink(missing_ok=True)
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
