"""All that is known of the policy's versions, as one immutable value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from uuid import UUID

from tercet.rl.degradation import DegradationMonitor
from tercet.schemas.parameters import Parameters
from tercet.schemas.versions import Version, Versions

EARLIER, KEPT, BARRED = 16, 4, 16
"""How many versions are remembered: adopted lately, with a kept blob, barred."""


@dataclass(frozen=True, slots=True)
class KnownVersion:
    """A version: its pointer, its parameters, and whether it was rejected or is suspected."""

    pointer: Parameters
    blob: bytes | None = field(default=None, repr=False)
    """Its parameters, if it can be returned to."""
    kept: str = ""
    """Key of the blob that was kept aside in the store; empty: it is in memory only."""
    rejected: str = ""
    """Why it must not decide; empty if it may."""
    suspected: bool = False
    """Whether a former version decides, to show whether this one is to blame."""

    @classmethod
    def of(cls, row: Version, blob: bytes | None) -> KnownVersion:
        """A version as a former process stored it."""
        pointer = pointer_of(row)
        return cls(pointer, blob, row.kept if blob else "", row.refused, row.on_trial)

    @property
    def version(self) -> int:
        """Its number."""
        return self.pointer.version

    @property
    def barred(self) -> bool:
        """Whether it must not decide now."""
        return self.suspected or bool(self.rejected)

    @property
    def usable(self) -> bool:
        """Whether it can be returned to."""
        return self.blob is not None and not self.rejected


@dataclass(frozen=True, kw_only=True)
class VersionState:
    """Changed by the functions of `version_transitions.py` only."""

    in_force: int | None = None
    adopted_round: int = 0
    """Newest round that the parameters in force have seen."""
    candidate: Parameters | None = None
    """Newest version that was announced and not yet adopted."""
    good: int | None = None
    """The last version whose window was good: where a rollback leads."""
    pinned: int | None = None
    """The version that an operator holds in force."""
    versions: Mapping[int, KnownVersion] = field(default_factory=dict)
    windows: DegradationMonitor = field(default_factory=DegradationMonitor)
    """Response times of the present window; copied before it changes."""
    cooldown_rounds: int = 0
    """Rounds until newer versions may be adopted after a rollback."""
    streak: int = 0
    """Rollbacks since a version was good."""
    command: UUID | None = None
    """The last operator command that was applied, or could not be."""
    pending_reason: str = ""
    """Why that command could not be applied; empty if it was."""
    rejections: int = 0
    rollbacks: int = 0

    @property
    def comparing(self) -> bool:
        """Whether the last good version decides, to be compared with a suspected one."""
        return self.windows.comparing

    @property
    def newer_versions_blocked(self) -> bool:
        """Whether newer versions must wait."""
        return self.pinned is not None or self.comparing or self.cooldown_rounds > 0

    @property
    def newest_round(self) -> int:
        """Newest round that the newest parameters have seen, adopted or not."""
        return self.adopted_round if self.candidate is None else self.candidate.round

    @property
    def newest_decided(self) -> int:
        """Newest version that was adopted or barred; -1 before any."""
        barred = [v for v, known in self.versions.items() if known.barred]
        return max((*barred, -1 if self.in_force is None else self.in_force))

    @property
    def suspected(self) -> list[KnownVersion]:
        """Versions that are being compared with a former one."""
        return [k for k in self.versions.values() if k.suspected and k.usable]

    def usable(self, version: int | None) -> KnownVersion | None:
        """A version that can be returned to."""
        known = None if version is None else self.versions.get(version)
        return known if known is not None and known.usable else None

    def good_before(self, version: int) -> KnownVersion | None:
        """The newest usable version before another whose blob was kept because it was good."""
        kept = (k for k in self.versions.values() if k.kept and k.usable and k.version < version)
        return max(kept, key=lambda known: known.version, default=None)

    def with_version(self, known: KnownVersion) -> VersionState:
        """Add or replace a version, and drop the oldest of those that nothing refers to."""
        versions = {**self.versions, known.version: known}
        needed = {self.in_force, self.windows.first, self.pinned, self.good, known.version}
        idle = _oldest(versions, lambda k: not (k.kept or k.barred or k.version in needed), EARLIER)
        barred = _oldest(versions, lambda k: k.barred, BARRED)
        dropped = {*idle, *barred}
        return replace(self, versions={v: k for v, k in versions.items() if v not in dropped})

    def stored(self, budget: tuple[float | None, int]) -> Versions:
        """What outlives the process; `budget` as `DecisionPolicy.exploration_budget`."""
        return Versions(
            in_force=self.in_force,
            good=self.good,
            pinned=self.pinned,
            obeyed=self.command,
            unheeded=self.pending_reason,
            refused=self.rejections,
            rolled_back=self.rollbacks,
            regret_left_ms=budget[0],
            held_back=budget[1],
            versions=tuple(_row(self.versions[version]) for version in sorted(self.versions)),
        )


def _oldest(
    versions: Mapping[int, KnownVersion], among: Callable[[KnownVersion], bool], spared: int
) -> list[int]:
    """All but the newest of some versions."""
    return sorted(v for v, known in versions.items() if among(known))[:-spared]


def pointer_of(row: Version) -> Parameters:
    """The pointer to a blob that was kept aside."""
    facts = {name: getattr(row, name) for name in ("version", "learned", "at")}
    return Parameters(owner="policy", key=row.kept, sha256=row.sha256 or "0" * 64, **facts)


def _row(known: KnownVersion) -> Version:
    facts = {name: getattr(known.pointer, name) for name in ("version", "sha256", "learned", "at")}
    kept, refused, on_trial = known.kept, known.rejected, known.suspected
    return Version(kept=kept, refused=refused, on_trial=on_trial, **facts)
