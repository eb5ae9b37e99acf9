"""Which files of a watched folder are to be classified: each version once, complete, not stale."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from tercet.models.images import SUFFIXES
from tercet.process import log

Version = tuple[int, int]
"""Time of the last change, nanoseconds, and size, bytes."""

_log = log.get(__name__)


@dataclass
class FolderScan:
    """What is known of the files of one folder; time is passed in.

    A file that is being written grows, so one is complete when two looks have found it the same,
    and an empty one never is.
    """

    stale_s: float
    """Age of a picture that is not classified any more."""
    stale: int = 0
    """Pictures that were dropped for that."""
    _seen: dict[str, Version] = field(default_factory=dict)
    """Name to the version of the last look."""
    _done: dict[str, Version] = field(default_factory=dict)
    """Name to the version that was taken or dropped."""

    def enter(self, found: dict[str, Version], now_ns: int) -> list[str]:
        """Enter what a look has found; return complete pictures, the newest first.

        They stay in the list until they are `taken`, change, or are stale.
        """
        complete = {name: v for name, v in found.items() if v[1] and self._seen.get(name) == v}
        self._seen = found
        self._done = {name: v for name, v in self._done.items() if name in found}
        waiting = {name: v for name, v in complete.items() if self._done.get(name) != v}
        for name, version in list(waiting.items()):
            if now_ns - version[0] > self.stale_s * 1e9:
                self._done[name] = waiting.pop(name)
                self.stale += 1
        return sorted(waiting, key=lambda name: (waiting[name], name), reverse=True)

    def taken(self, name: str) -> None:
        """A picture is classified now: not again before it changes."""
        self._done[name] = self._seen[name]


def look(folder: Path) -> dict[str, Version]:
    """List the pictures of a folder and their versions; none when it cannot be read. Blocking."""
    found = {}
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if Path(entry.name).suffix.lower() in SUFFIXES and entry.is_file():
                    stat = entry.stat()
                    found[entry.name] = (stat.st_mtime_ns, stat.st_size)
    except OSError as error:  # A file or the folder was removed, or a share is away for a while.
        _log.warning("folder not read", folder=str(folder), reason=error.strerror)
    return found
