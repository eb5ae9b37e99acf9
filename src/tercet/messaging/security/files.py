"""Files of a site: secrets are readable by their owner only, and files are replaced atomically."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tercet.messaging.security.errors import SiteError


def write_public(path: Path, content: bytes) -> None:
    """Write a file that anyone may read."""
    _write(path, content, 0o644)


def write_secret(path: Path, content: bytes) -> None:
    """Write a file that only the owner may read, from its creation on."""
    _write(path, content, 0o600)


@contextmanager
def drafting(folder: Path, last: str) -> Iterator[Path]:
    """A folder to fill; at the end all of it is moved into `folder`, the file `last` last.

    On an error `folder` is left as it was.

    Raises SiteError for a path that is not a folder or cannot be written to.
    """
    is_new = not folder.exists()
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
        if is_new:
            with suppress(OSError):  # It is not empty: no error.
                folder.rmdir()


def _write(path: Path, content: bytes, mode: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.new")
    draft.unlink(missing_ok=True)
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
