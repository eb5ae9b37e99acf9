"""The books at the end: what was acknowledged and said, against what the streams hold."""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from benchmarks.chaos.observer import Observer
from benchmarks.chaos.outside_devices import DECISION, PICTURE, Ledger
from benchmarks.chaos.system import DEVICES
from tercet.messaging.bus import Bus
from tercet.messaging.nats_errors import NATS_ERRORS

OWN_RUN = 4.0
"""Seconds a device may take for the picture itself when nobody else does: it loads the model."""
BOUND = DECISION + 2 * PICTURE + OWN_RUN
"""Seconds in which every request of a device ends (services/gateway/settings.py)."""
SETTLE = 30.0
"""Seconds that learners have to catch up."""


@dataclass(frozen=True)
class Disturbed:
    """When a device's own process was killed or stopped: wall-clock seconds."""

    device: str
    start: float
    end: float


async def read(bus: Bus, stream: str) -> list[tuple[float, dict[str, Any]]]:
    """Everything a stream holds, with the wall-clock second at which it was stored."""
    return [
        (raw.time.timestamp() if raw.time else 0.0, json.loads(raw.data or b"{}"))
        for raw in await read_raw(bus, stream)
    ]


async def read_raw(bus: Bus, stream: str, sequence: int = 1) -> list[Any]:
    """The same from a sequence on, as the broker has it: subject, data, headers, time."""
    last, found = (await bus.js.stream_info(stream)).state.last_seq, []
    while sequence <= last:
        try:
            raw = await bus.js.get_msg(stream, sequence, subject=">", direct=True, next=True)
        except NATS_ERRORS:
            break
        sequence = (raw.seq or sequence) + 1
        found.append(raw)
    return found


async def close(
    bus: Bus, url: str, ledger: Ledger, observer: Observer, disturbed: list[Disturbed]
) -> dict[str, Any]:
    """Compare; every count that is not 0 is a fault of the system."""
    overheard = dict(observer.said)  # Rounds go on meanwhile: what is looked for comes first.
    decisions = await read(bus, "DECISIONS")
    await asyncio.sleep(BOUND)
    audit = await _audit(url)
    outcomes = await read(bus, "OUTCOMES")
    experience = [said for _, said in await read(bus, "EXPERIENCE")]
    stored = Counter(said["id"] for _, said in outcomes)
    killed = {d.device for d in disturbed}
    gone = [i for i in overheard if i not in stored]
    return {
        "acknowledged": len(ledger.acknowledged),
        "repeated_on_purpose": ledger.repeated,
        "stored_outcomes": sum(stored.values()),
        "lost": sum(i not in stored for i in ledger.acknowledged),
        "lost_overheard": sum(overheard[i][0] not in killed for i in gone),
        "missing": [(*overheard[i], i) for i in gone],
        "overheard": len(overheard),
        "doubled": sum(count > 1 for count in stored.values()),
        "rounds": len(experience),
        "rounds_doubled": _doubled(said["id"] for said in experience)
        + _doubled(said["cause"] for said in experience)
        + _doubled(said["round"] for said in experience),
        "wrong_in_effect": _wrong(experience, ledger),
        "audit_balances": audit.get("balances", False),
        "audit": audit,
        "asked": ledger.requests,
        "answered": ledger.answered,
        "fell_back": ledger.fallbacks,
        "late": ledger.late,
        "slowest_s": round(ledger.slowest, 2),
        **_devices(decisions, outcomes, disturbed),
    }


def _doubled(keys: Iterable[Any]) -> int:
    return sum(count > 1 for count in Counter(keys).values())


def _wrong(experience: list[dict[str, Any]], ledger: Ledger) -> int:
    """Rounds in which one of the ledger's outcomes is in effect with another value than said."""
    wrong = 0
    for said in experience:
        for device, ms in said["response_ms"].items():
            mine = ledger.rounds.get((device, said["cause"]))
            counted = device not in said["censored"]
            wrong += mine is not None and counted and abs(mine - ms) > 1e-6
    return wrong


def _devices(
    decisions: list[tuple[float, dict[str, Any]]],
    outcomes: list[tuple[float, dict[str, Any]]],
    disturbed: list[Disturbed],
) -> dict[str, Any]:
    """Requests of the system's own devices: each decision has its outcome, within the bound.

    A device that is killed or stopped while it measures is excused for that request alone.
    """
    causes = {said["cause"] for _, said in outcomes}
    unanswered = late = 0
    excused, slowest = 0, 0.0
    for when, said in decisions:
        if said["device"] not in DEVICES or causes & {said["id"], said["cause"]}:
            continue
        if _overlaps(said["device"], when, when + BOUND, disturbed):
            excused += 1
        else:
            unanswered += 1
    own = [(when, said) for when, said in outcomes if said["device"] in DEVICES]
    for when, said in own:
        seconds = said["response_ms"] / 1000
        if _overlaps(said["device"], when - seconds - 1, when, disturbed):
            continue
        slowest = max(slowest, seconds)
        late += seconds > BOUND
    return {
        "device_requests": len(own),
        "device_fallbacks": sum(said["fallback"] != "none" for _, said in own),
        "device_unanswered": unanswered,
        "device_excused": excused,
        "device_late": late,
        "device_slowest_s": round(slowest, 2),
    }


def _overlaps(device: str, start: float, end: float, disturbed: list[Disturbed]) -> bool:
    return any(d.device == device and d.start <= end and start <= d.end for d in disturbed)


async def _audit(url: str) -> dict[str, Any]:
    """What `tercet audit` says, as a process of its own."""
    process = await asyncio.create_subprocess_exec(
        *(
            sys.executable,
            "-m",
            "tercet.cli",
            "audit",
            f"--bus={url}",
            "--json",
            f"--settle={SETTLE}",
        ),
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    said, _ = await process.communicate()
    try:
        found: dict[str, Any] = json.loads(said)
    except ValueError:
        return {"balances": False}
    return found
