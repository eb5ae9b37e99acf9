"""Files of a site: secrets only for their owner, and never half written."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tercet.messaging.security.errors import SiteError


def write_public(path: Path, content: bytes) -> None:
    """Write what anyone may read."""
    _write(path, content, 0o644)


def write_secret(path: Path, content: bytes) -> None:
    """Write what only the owner may read; it is never readable by others, not for a moment."""
    _write(path, content, 0o600)


@contextmanager
def drafting(folder: Path, last: str) -> Iterator[Path]:
    """A folder to fill. All of it appears in `folder`, the file `last` after the rest, or nothing.

    Raises SiteError for a path that is not a folder or cannot be written to.
    """
    made = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=".new-", dir=folder))
    except FileExistsError as error:
        raise SiteError(f"--site {folder}: not a folder") from error
    except OSError as error:
        raise SiteError(f"--site {folder}: {error.strerror}") from error
    try:
        yield draft
        for entry in sorted(draft.iterdir(), key=lambda entry: entry.name == last):
            entry.rename(folder / entry.name)
    finally:
        shutil.rmtree(draft)
        if made:
            with suppress(OSError):  # It is not empty: all went well.
                folder.rmdir()


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
