"""Outcomes that must not teach: impossible ones, and those far from what a device can measure.

An outcome is held against the device's own history in the same cell (`tercet.rl.peers`), median and
median absolute deviation of log milliseconds, and where that is short, against what the others
measured. A change that is real gets through: after a few outcomes that agree with each other it
is believed, and the device's history begins anew. So does a lie that is kept up, for the two look
alike. Hence a second line: how far a device is from the others, if it is far, is taken out before
it teaches, so that no word of its own makes its milliseconds weigh more than anyone else's.

Faster than possible is never believed: nobody is served by a shared node in a third of the time
that it takes for all others.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from statistics import median

from tercet.rl.experience import Experience
from tercet.rl.features import Profile
from tercet.rl.peers import KEPT, LOCAL, Cell, Likely, Peers, cells, compute_ms
from tercet.rl.platform import Platform

LONGEST_MS = 600_000.0
"""Ten minutes: nothing that is longer is a response time."""
FAR = math.log(4.0)
"""How far an outcome may be from what is expected, in log milliseconds, whatever the spread..."""
SPREADS = 6.0
"""...and in robust standard deviations of the device's own history."""
ENOUGH = 6
"""Outcomes in a cell from which a device has a history there."""
AGREEING = 5
"""Odd outcomes on end that agree with each other mean that the device has changed..."""
ALIKE = math.log(2.0)
"""...if all are this near to their median; two devices that are, that their node has."""
FLOOR = math.log(1.0 / 3.0)
"""How much faster than everybody else a shared node may serve anyone, in log milliseconds."""
WINDOW = 10
"""Outcomes on a tier over which it is measured how far a device is from the others."""
SILENCE = 20
"""Outcomes that do not teach after one that cannot have been."""
LEVEL = math.log(2.5)
"""How far from the others a device must be on every tier for that to be taken out."""

ROUNDING_MS = 50.0
"""Clocks, and what lies between a message and its handling: so much is forgiven."""


def impossible(response_ms: float, compute_ms: float, passed_ms: float) -> str:
    """Why a response time cannot have been; empty when it can.

    `compute_ms` is part of it, and it was reported `passed_ms` after it can have begun.
    """
    if not 0.0 < response_ms <= LONGEST_MS:
        return "impossible: not a time that a request takes"
    if response_ms < compute_ms - max(1.0, 0.01 * compute_ms):
        return "impossible: shorter than its own compute time"
    if response_ms > passed_ms + ROUNDING_MS:
        return "impossible: longer than the time since its round began"
    return ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of one outcome."""

    reason: str = ""
    """Why it must not teach; empty when it may."""
    factor: float = 1.0
    """What its milliseconds are divided by before it teaches."""
    doubted: bool = False
    """From here on its word counts otherwise than before: what it taught is to be forgotten."""


@dataclass
class Record:
    """What is known of one device's word; logarithms of milliseconds."""

    history: dict[Cell, deque[float]] = field(default_factory=dict)
    """What was believed."""
    odd: deque[float] = field(default_factory=lambda: deque(maxlen=AGREEING))
    """How far its latest odd outcomes were from what was expected."""
    beyond: dict[str, deque[float]] = field(default_factory=dict)
    """How far its latest outcomes on each tier were from the others'."""
    silenced: int = 0
    """Outcomes to come that do not teach."""
    standing: tuple[bool, int] = (False, 0)
    """Whether it is silenced or erratic, and on which side of the others it is."""

    @property
    def level(self) -> float:
        """How far it is from the others wherever it runs; 0 when it is not."""
        middles = [median(b) for b in self.beyond.values() if len(b) >= AGREEING]
        if not middles:
            return median(self.odd) if self.changed else 0.0
        if min(middles) > LEVEL:
            return min(middles)
        return max(middles) if max(middles) < -LEVEL else 0.0

    @property
    def erratic(self) -> bool:
        """Whether its outcomes on some tier are now this, now that, and no change explains it."""
        if self.changed:
            return False
        full = [b for b in self.beyond.values() if len(b) >= AGREEING]
        return any(median(abs(x - median(b)) for x in b) > ALIKE for b in full)

    @property
    def changed(self) -> bool:
        """Whether its odd outcomes agree with each other."""
        full = len(self.odd) == AGREEING
        return full and max(abs(x - median(self.odd)) for x in self.odd) < ALIKE

    def reconsider(self) -> bool:
        """Whether its standing has just become another one, other than for the better."""
        before, level = self.standing, self.level
        self.standing = (self.silenced > 0 or self.erratic, (level > 0) - (level < 0))
        worse = self.standing[0] and not before[0]
        return worse or (self.standing[1] != 0 and self.standing[1] != before[1])

    def usual(self, cell: Cell) -> tuple[float, float] | None:
        """Median and robust standard deviation in a cell; None without a history."""
        seen = self.history.get(cell, ())
        if len(seen) < ENOUGH:
            return None
        middle = median(seen)
        return middle, 1.4826 * median(abs(x - middle) for x in seen)


@dataclass
class Quarantine:
    """Judges outcome after outcome; its whole state is in its fields."""

    peers: Peers = field(default_factory=Peers)
    records: dict[str, Record] = field(default_factory=dict)
    strange: dict[str, dict[str, float]] = field(default_factory=dict)
    """Shared node to device to how far its latest odd outcome there was off."""

    def judge(
        self, platform: Platform, seen: Experience, profile: Profile | None = None
    ) -> dict[str, Verdict]:
        """What becomes of each label of a round; what is believed is remembered."""
        self._keep(platform)
        where, verdicts = cells(platform, seen.assignment), {}
        for device, ms in seen.response_ms.items():
            if device in seen.censored:  # It said nothing that could be judged.
                continue
            if reason := impossible(ms, 0.0, math.inf):
                self.silence(device)
                verdicts[device] = Verdict(reason)
            elif device in where:
                compute = compute_ms(platform, device, where[device].option, profile)
                verdicts[device] = self._judge(device, where[device], ms, compute)
        return verdicts

    def silence(self, device: str) -> None:
        """A device said what cannot have been: what it says next does not teach either."""
        self.records.setdefault(device, Record()).silenced = SILENCE

    def _keep(self, platform: Platform) -> None:
        """Forget devices and nodes that have gone."""
        nodes = {*platform.devices, *platform.edges, platform.cloud, LOCAL}
        self.records = {d: r for d, r in self.records.items() if d in platform.devices}
        self.strange = {n: s for n, s in self.strange.items() if n in nodes}
        self.peers.keep(platform.devices, nodes)

    def _judge(self, device: str, cell: Cell, ms: float, compute: float) -> Verdict:
        record, label = self.records.setdefault(device, Record()), math.log(ms)
        likely = self.peers.expected(cell, device, compute)
        reason = self._doubt(device, cell, ms, likely)
        if record.silenced and not reason:
            record.silenced -= 1
            reason = "impossible ones came shortly before"
        if record.erratic and not reason:
            reason = "its outcomes scatter"
        if likely is not None and likely.exact:
            beyond = record.beyond.setdefault(cell.option.tier, deque(maxlen=WINDOW))
            beyond.append(likely.beyond(ms))
        doubted = record.reconsider()
        if reason:
            return Verdict(reason, doubted=doubted)
        factor = math.exp(record.level)
        record.history.setdefault(cell, deque(maxlen=KEPT)).append(label)
        self.peers.add(cell, device, ms / factor, compute)
        return Verdict(factor=factor, doubted=doubted)

    def _doubt(self, device: str, cell: Cell, ms: float, likely: Likely | None) -> str:
        """Why an outcome is not believed; empty when it is."""
        record, shared = self.records[device], cell.option.tier != "L"
        usual, beyond = record.usual(cell), 0.0 if likely is None else likely.beyond(ms)
        limit, off = FAR, beyond - record.level if likely is not None else 0.0
        if usual is not None:
            off, limit = math.log(ms) - usual[0], max(FAR, SPREADS * usual[1])
        too_fast = shared and beyond < FLOOR
        if abs(off) <= limit and not too_fast:
            return ""
        if shared and self._others_say_so(cell.where, device, off):
            return ""
        if too_fast:
            record.silenced = SILENCE
            return "impossible: its node serves nobody else as fast"
        if usual is not None or (likely is not None and likely.exact):
            record.odd.append(off)
        return "" if record.changed else f"far outside: {math.exp(off):.3g} times what is expected"

    def _others_say_so(self, node: str, device: str, off: float) -> bool:
        """Whether someone else was as far off on this node: then the node has changed."""
        strange = self.strange.setdefault(node, {})
        strange[device] = off
        return any(abs(off - x) < ALIKE for d, x in strange.items() if d != device)
