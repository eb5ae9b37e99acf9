"""Outcomes that must not be learned from: impossible ones, and outliers of a device.

An outcome is compared with the device's own history in the same cell (`peer_expectation.py`), by
median and median absolute deviation of log milliseconds; where the history is short, with the
outcomes of the other devices. A real change passes: after a few outcomes that agree with each other
they are accepted, and the device's history starts again. A persistent false report passes likewise,
because it cannot be distinguished from a change. Hence a second rule: the factor by which a device
differs from the others on every tier, if it is large, is divided out before training.

An outcome that is faster than possible is never accepted: a shared node serves no device in a third
of the time that it takes for all others.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from statistics import median

from tercet.rl.experience import Experience
from tercet.rl.features import Profile
from tercet.rl.peer_expectation import KEPT, LOCAL, Cell, ExpectedRange, Peers, cells, compute_ms
from tercet.rl.platform import Platform

LONGEST_MS = 600_000.0
"""Ten minutes: nothing that is longer is a response time."""
MIN_TOLERANCE = math.log(4.0)
"""Accepted deviation from the expected time, in log milliseconds, whatever the spread..."""
TOLERANCE_DEVIATIONS = 6.0
"""...and in robust standard deviations of the device's own history; the larger one counts."""
MIN_HISTORY = 6
"""Outcomes in a cell from which a device has a history there."""
AGREEING = 5
"""Consecutive outliers that agree with each other mean that the device has changed..."""
AGREEMENT_TOLERANCE = math.log(2.0)
"""...if all are this near to their median. Two devices that agree: their node has changed."""
MIN_SHARED_RATIO = math.log(1.0 / 3.0)
"""Log of the least share of the others' time in which a shared node may serve a device."""
WINDOW = 10
"""Outcomes on a tier over which the deviation of a device from the others is measured."""
EXCLUDED_OUTCOMES = 20
"""Outcomes that are not learned from after an impossible one."""
MIN_DEVICE_FACTOR = math.log(2.5)
"""Deviation from the others, on every tier, from which it is divided out."""

ROUNDING_MS = 50.0
"""Tolerance for clocks, and for the time between a message and its handling."""


def impossible(response_ms: float, compute_ms: float, passed_ms: float) -> str:
    """Why a response time is impossible; empty when it is not.

    `compute_ms` is part of it, and it was reported `passed_ms` after its earliest begin.
    """
    if not 0.0 < response_ms <= LONGEST_MS:
        return "impossible: not a time that a request takes"
    if response_ms < compute_ms - max(1.0, 0.01 * compute_ms):
        return "impossible: shorter than its own compute time"
    if response_ms > passed_ms + ROUNDING_MS:
        return "impossible: longer than the time since its round began"
    return ""


@dataclass(frozen=True, slots=True)
class Screening:
    """How one outcome is to be learned from."""

    reason: str = ""
    """Why it must not be learned from; empty when it may."""
    factor: float = 1.0
    """Divisor of its milliseconds before they are learned from."""
    retract: bool = False
    """Whether the device's status has changed, so that its recent labels must be retracted."""


@dataclass
class DeviceRecord:
    """The outcomes of one device; logarithms of milliseconds."""

    history: dict[Cell, deque[float]] = field(default_factory=dict)
    """Accepted outcomes."""
    outliers: deque[float] = field(default_factory=lambda: deque(maxlen=AGREEING))
    """Deviation of its latest outliers from the expected time."""
    deviations: dict[str, deque[float]] = field(default_factory=dict)
    """Deviation of its latest outcomes on each tier from the others'."""
    excluded: int = 0
    """Outcomes to come that are not learned from."""
    standing: tuple[bool, int] = (False, 0)
    """Whether it is excluded or erratic, and the sign of its level."""

    @property
    def level(self) -> float:
        """Its deviation from the others on every tier; 0 when there is a tier without one."""
        medians = [median(b) for b in self.deviations.values() if len(b) >= AGREEING]
        if not medians:
            return median(self.outliers) if self.changed else 0.0
        if min(medians) > MIN_DEVICE_FACTOR:
            return min(medians)
        return max(medians) if max(medians) < -MIN_DEVICE_FACTOR else 0.0

    @property
    def erratic(self) -> bool:
        """Whether its outcomes on some tier scatter, and no change explains it."""
        if self.changed:
            return False
        full = [b for b in self.deviations.values() if len(b) >= AGREEING]
        return any(median(abs(x - median(b)) for x in b) > AGREEMENT_TOLERANCE for b in full)

    @property
    def changed(self) -> bool:
        """Whether its outliers agree with each other."""
        full = len(self.outliers) == AGREEING
        return (
            full
            and max(abs(x - median(self.outliers)) for x in self.outliers) < AGREEMENT_TOLERANCE
        )

    def update_standing(self) -> bool:
        """Update `standing`; whether it has changed for the worse."""
        before, level = self.standing, self.level
        self.standing = (self.excluded > 0 or self.erratic, (level > 0) - (level < 0))
        worse = self.standing[0] and not before[0]
        return worse or (self.standing[1] != 0 and self.standing[1] != before[1])

    def expected(self, cell: Cell) -> tuple[float, float] | None:
        """Median and robust standard deviation in a cell; None without a history."""
        seen = self.history.get(cell, ())
        if len(seen) < MIN_HISTORY:
            return None
        middle = median(seen)
        return middle, 1.4826 * median(abs(x - middle) for x in seen)


@dataclass
class Quarantine:
    """Screens outcome after outcome; its whole state is in its fields."""

    peers: Peers = field(default_factory=Peers)
    records: dict[str, DeviceRecord] = field(default_factory=dict)
    outlying: dict[str, dict[str, float]] = field(default_factory=dict)
    """Shared node to device to the deviation of its latest outlier there."""

    def screen(
        self, platform: Platform, seen: Experience, profile: Profile | None = None
    ) -> dict[str, Screening]:
        """How each outcome of a round is to be learned from; accepted ones are recorded."""
        self._drop_absent(platform)
        where, screened = cells(platform, seen.assignment), {}
        for device, ms in seen.response_ms.items():
            if device in seen.censored:  # Not a measured time.
                continue
            if reason := impossible(ms, 0.0, math.inf):
                self.exclude(device)
                screened[device] = Screening(reason)
            elif device in where:
                compute = compute_ms(platform, device, where[device].option, profile)
                screened[device] = self._screen(device, where[device], ms, compute)
        return screened

    def exclude(self, device: str) -> None:
        """A device has reported an impossible time: its next outcomes are not learned from."""
        self.records.setdefault(device, DeviceRecord()).excluded = EXCLUDED_OUTCOMES

    def _drop_absent(self, platform: Platform) -> None:
        """Drop devices and nodes that have left."""
        nodes = {*platform.devices, *platform.edges, platform.cloud, LOCAL}
        self.records = {d: r for d, r in self.records.items() if d in platform.devices}
        self.outlying = {n: s for n, s in self.outlying.items() if n in nodes}
        self.peers.keep(platform.devices, nodes)

    def _screen(self, device: str, cell: Cell, ms: float, compute: float) -> Screening:
        record, label = self.records.setdefault(device, DeviceRecord()), math.log(ms)
        others = self.peers.expected(cell, device, compute)
        reason = self._objection(device, cell, ms, others)
        if record.excluded and not reason:
            record.excluded -= 1
            reason = "impossible ones came shortly before"
        if record.erratic and not reason:
            reason = "its outcomes scatter"
        if others is not None and others.exact:
            deviation = record.deviations.setdefault(cell.option.tier, deque(maxlen=WINDOW))
            deviation.append(others.deviation(ms))
        retract = record.update_standing()
        if reason:
            return Screening(reason, retract=retract)
        factor = math.exp(record.level)
        record.history.setdefault(cell, deque(maxlen=KEPT)).append(label)
        self.peers.add(cell, device, ms / factor, compute)
        return Screening(factor=factor, retract=retract)

    def _objection(self, device: str, cell: Cell, ms: float, others: ExpectedRange | None) -> str:
        """Why an outcome is not accepted; empty when it is."""
        record, shared = self.records[device], cell.option.tier != "L"
        own, deviation = record.expected(cell), 0.0 if others is None else others.deviation(ms)
        limit, off = MIN_TOLERANCE, deviation - record.level if others is not None else 0.0
        if own is not None:
            off, limit = math.log(ms) - own[0], max(MIN_TOLERANCE, TOLERANCE_DEVIATIONS * own[1])
        too_fast = shared and deviation < MIN_SHARED_RATIO
        if abs(off) <= limit and not too_fast:
            return ""
        if shared and self._node_changed(cell.where, device, off):
            return ""
        if too_fast:
            record.excluded = EXCLUDED_OUTCOMES
            return "impossible: its node serves nobody else as fast"
        if own is not None or (others is not None and others.exact):
            record.outliers.append(off)
        return "" if record.changed else f"far outside: {math.exp(off):.3g} times what is expected"

    def _node_changed(self, node: str, device: str, off: float) -> bool:
        """Whether another device deviates likewise on this node: then the node has changed."""
        outlying = self.outlying.setdefault(node, {})
        outlying[device] = off
        return any(abs(off - x) < AGREEMENT_TOLERANCE for d, x in outlying.items() if d != device)
