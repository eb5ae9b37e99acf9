"""CPU and memory limits and use of this container, from cgroup v1 or v2."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
UNLIMITED = 1 << 60
"""v1 writes a number near 2^63 for "no limit"."""
MIB = 1024 * 1024


@dataclass(frozen=True)
class Limits:
    """Limits and use of a cgroup; None where there is no limit or no value."""

    cores: float | None
    """CPU quota in cores."""
    memory_mib: float | None
    memory_used_mib: float | None
    cpu_seconds: float | None
    """CPU time used so far by everything in the cgroup."""


def read(root: Path = ROOT) -> Limits:
    """Read the cgroup mounted at `root`; missing or unreadable values are None."""
    return _read_v2(root) if (root / "cgroup.controllers").exists() else _read_v1(root)


def _read_v2(root: Path) -> Limits:
    quota, _, period = (_text(root / "cpu.max") or "max 100000").partition(" ")
    usage = dict(
        line.split(" ", 1) for line in (_text(root / "cpu.stat") or "").splitlines() if " " in line
    )
    return Limits(
        cores=None if quota == "max" else int(quota) / int(period or 100000),
        memory_mib=_mib(_text(root / "memory.max")),
        memory_used_mib=_mib(_text(root / "memory.current")),
        cpu_seconds=int(usage["usage_usec"]) / 1e6 if "usage_usec" in usage else None,
    )


def _read_v1(root: Path) -> Limits:
    quota = _text(root / "cpu" / "cpu.cfs_quota_us")
    period = _text(root / "cpu" / "cpu.cfs_period_us")
    usage = _text(root / "cpuacct" / "cpuacct.usage")
    limited = quota is not None and period is not None and int(quota) > 0
    return Limits(
        cores=int(quota or 0) / int(period or 1) if limited else None,
        memory_mib=_mib(_text(root / "memory" / "memory.limit_in_bytes")),
        memory_used_mib=_mib(_text(root / "memory" / "memory.usage_in_bytes")),
        cpu_seconds=int(usage) / 1e9 if usage else None,
    )


def _text(file: Path) -> str | None:
    try:
        return file.read_text().strip()
    except OSError:
        return None


def _mib(text: str | None) -> float | None:
    if text is None or text == "max" or int(text) >= UNLIMITED:
        return None
    return int(text) / MIB
