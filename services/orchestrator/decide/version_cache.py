"""The versions of the policy that are remembered: lately adopted, kept aside as good, refused."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from tercet.messaging.parameter_store import ParameterStore
from tercet.process import log
from tercet.process.errors import TryLater, Unprocessable
from tercet.schemas.parameters import Parameters
from tercet.schemas.versions import Version, Versions

_log = log.get(__name__)

EARLIER, KEPT, REFUSED = 16, 4, 16
"""How many are remembered that were adopted lately, are kept aside, were refused."""


@dataclass(slots=True)
class KnownVersion:
    """A version that can be returned to."""

    pointer: Parameters
    blob: bytes
    kept: str = ""
    """Key of the blob kept aside; empty: it is in this process's memory only."""


class VersionCache:
    """Versions by their number."""

    def __init__(self, store: ParameterStore) -> None:
        self._store = store
        self._known: dict[int, KnownVersion] = {}
        self._barred: dict[int, Version] = {}
        """Refused, or on trial."""
        self.good: int | None = None
        """The last good one."""

    async def recall(self, noted: Versions) -> None:
        """What a former process noted; what was on trial is not tried again."""
        self.good = noted.good
        for row in noted.versions:
            if row.refused or row.on_trial:
                self._barred[row.version] = row
            elif row.kept:
                await self._reread(row)

    async def _reread(self, row: Version) -> None:
        pointer = Parameters(
            owner="policy",
            version=row.version,
            key=row.kept,
            sha256=row.sha256,
            learned=row.learned,
            at=row.at,
        )
        try:
            self._known[row.version] = KnownVersion(
                pointer, await self._store.read(pointer), row.kept
            )
        except (Unprocessable, TryLater) as error:
            _log.warning("a kept version cannot be read", version=row.version, reason=str(error))

    def clear(self) -> None:
        """Everything was forgotten."""
        self._known, self._barred, self.good = {}, {}, None

    def add(self, pointer: Parameters, blob: bytes) -> None:
        """A version was adopted."""
        self._known[pointer.version] = KnownVersion(pointer, blob)

    def get(self, version: int | None) -> KnownVersion | None:
        """A version, if it is still there and was not refused."""
        if version is None or (version in self._barred and self._barred[version].refused):
            return None
        return self._known.get(version)

    def before(self, version: int | None) -> KnownVersion | None:
        """The newest version that was found good before another, and was not refused."""
        rows = (k for v in self._known if (k := self.get(v)) is not None and k.kept)
        older = [k for k in rows if version is not None and k.pointer.version < version]
        return max(older, key=lambda k: k.pointer.version, default=None)

    def why_not(self, version: int) -> str:
        """Why a version is not to be had."""
        row = self._barred.get(version)
        return f"version {version} " + (f"was refused: {row.refused}" if row else "is not known")

    @property
    def newest_barred(self) -> int:
        """Newest version that must not decide; -1 when there is none."""
        return max(self._barred, default=-1)

    def bar(self, pointer: Parameters, *, refused: str = "") -> None:
        """A version must not decide; without a reason: it is on trial."""
        self._barred[pointer.version] = _row(pointer, refused=refused, on_trial=not refused)

    def tried(self) -> list[KnownVersion]:
        """What is on trial."""
        return [
            self._known[v] for v, row in self._barred.items() if row.on_trial and v in self._known
        ]

    def acquit(self, version: int) -> None:
        """What was on trial may decide again."""
        del self._barred[version]

    async def keep(self, found: KnownVersion) -> None:
        """Keep a blob aside, as the latest of four, unless it is kept. Raises TryLater."""
        if found.kept:
            return  # A copy more would push out the one that a restart may know of.
        found.kept = await self._store.keep(found.blob)
        kept = sorted((k for k in self._known.values() if k.kept), key=lambda k: int(k.kept))
        for former in kept[:-KEPT]:
            former.kept = ""

    def trim(self, needed: Collection[int | None]) -> None:
        """Forget the oldest of those that nothing needs."""
        needed = {*needed, self.good, *(k.pointer.version for k in self.tried())}
        idle = [v for v, k in self._known.items() if not k.kept and v not in needed]
        for version in sorted(idle)[:-EARLIER]:
            del self._known[version]
        for version in sorted(self._barred)[:-REFUSED]:
            del self._barred[version]

    def rows(self) -> tuple[Version, ...]:
        """All of it, for the store, oldest first."""
        rows = {v: _row(k.pointer, kept=k.kept) for v, k in self._known.items()} | self._barred
        return tuple(rows[version] for version in sorted(rows))


def _row(
    pointer: Parameters, *, kept: str = "", refused: str = "", on_trial: bool = False
) -> Version:
    return Version(
        version=pointer.version,
        at=pointer.at,
        learned=pointer.learned,
        sha256=pointer.sha256,
        kept=kept,
        on_trial=on_trial,
        refused=refused,
    )
