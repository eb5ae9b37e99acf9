"""The comparison at the end of a run: acknowledged and observed outcomes against the streams."""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from benchmarks.chaos.external_devices import (
    DECISION_TIMEOUT_S,
    INFERENCE_TIMEOUT_S,
    ClientRecord,
)
from benchmarks.chaos.observer import Observer
from benchmarks.chaos.system import DEVICES
from tercet.messaging.bus import Bus
from tercet.messaging.nats_errors import NATS_ERRORS

LOCAL_RUN_S = 4.0
"""Seconds for a run on the device itself, with loading the model."""
RESPONSE_LIMIT_S = DECISION_TIMEOUT_S + 2 * INFERENCE_TIMEOUT_S + LOCAL_RUN_S
"""Seconds within which every request of a device ends (services/gateway/settings.py)."""
SETTLE_S = 30.0
"""Seconds for trainers to process the remaining experience."""


@dataclass(frozen=True)
class Disturbance:
    """Interval in which a device's process was killed or stopped; wall-clock seconds."""

    device: str
    start: float
    end: float


async def read(bus: Bus, stream: str) -> list[tuple[float, dict[str, Any]]]:
    """All messages of a stream as JSON, each with the wall-clock second of its storage."""
    return [
        (raw.time.timestamp() if raw.time else 0.0, json.loads(raw.data or b"{}"))
        for raw in await read_raw(bus, stream)
    ]


async def read_raw(bus: Bus, stream: str, sequence: int = 1) -> list[Any]:
    """The raw messages from `sequence` on: subject, data, headers, time."""
    last, found = (await bus.js.stream_info(stream)).state.last_seq, []
    while sequence <= last:
        try:
            raw = await bus.js.get_msg(stream, sequence, subject=">", direct=True, next=True)
        except NATS_ERRORS:
            break
        sequence = (raw.seq or sequence) + 1
        found.append(raw)
    return found


async def reconcile(
    bus: Bus, url: str, record: ClientRecord, observer: Observer, disturbed: list[Disturbance]
) -> dict[str, Any]:
    """Compare; `lost`, `doubled`, `late` and the like are 0 in a correct system."""
    observed = dict(observer.outcomes)  # Copied first: further rounds run meanwhile.
    await asyncio.sleep(RESPONSE_LIMIT_S)
    audit = await _audit(url)
    outcomes = await read(bus, "OUTCOMES")
    rounds = await read(bus, "EXPERIENCE")
    experience = [message for _, message in rounds]
    stored = Counter(message["id"] for _, message in outcomes)
    killed = {d.device for d in disturbed}
    gone = [i for i in observed if i not in stored]
    return {
        "acknowledged": len(record.acknowledged),
        "repeated_on_purpose": record.repeated,
        "stored_outcomes": sum(stored.values()),
        "lost": sum(i not in stored for i in record.acknowledged),
        "lost_overheard": sum(observed[i][0] not in killed for i in gone),
        "missing": [(*observed[i], i) for i in gone],
        "overheard": len(observed),
        "doubled": sum(count > 1 for count in stored.values()),
        "rounds": len(experience),
        "rounds_doubled": _doubled(message["id"] for message in experience)
        + _doubled(message["cause"] for message in experience)
        + _doubled(message["window"] for message in experience),
        "wrong_in_effect": _wrong(experience, record),
        "audit_balances": audit.get("balances", False),
        "audit": audit,
        "asked": record.requests,
        "answered": record.answered,
        "fell_back": record.fallbacks,
        "late": record.late,
        "slowest_s": round(record.slowest, 2),
        **device_requests(rounds, outcomes, disturbed),
    }


def _doubled(keys: Iterable[Any]) -> int:
    return sum(count > 1 for count in Counter(keys).values())


def _wrong(experience: list[dict[str, Any]], record: ClientRecord) -> int:
    """Rounds whose experience holds another response time than the recorded outcome."""
    wrong = 0
    for message in experience:
        for made in message["requests"]:
            mine = record.rounds.get((made["device"], message["cause"]))
            wrong += mine is not None and abs(mine - made["total_ms"]) > 1e-6
    return wrong


def device_requests(
    rounds: list[tuple[float, dict[str, Any]]],
    outcomes: list[tuple[float, dict[str, Any]]],
    disturbed: list[Disturbance],
) -> dict[str, Any]:
    """Requests of the system's own devices: each device of a closed round has an outcome of it.

    Excused is only the request during which the device was killed or stopped.
    """
    made = {(message.get("round_id"), message["device"]) for _, message in outcomes}
    unanswered = late = 0
    excused, slowest = 0, 0.0
    for when, message in rounds:
        for device in {row["device"] for row in message["active"]} & set(DEVICES):
            if (message["cause"], device) in made:
                continue
            if _overlaps(device, when - RESPONSE_LIMIT_S, when, disturbed):
                excused += 1
            else:
                unanswered += 1
    own = [(when, message) for when, message in outcomes if message["device"] in DEVICES]
    for when, message in own:
        seconds = message["response_ms"] / 1000
        if _overlaps(message["device"], when - seconds - 1, when, disturbed):
            continue
        slowest = max(slowest, seconds)
        late += seconds > RESPONSE_LIMIT_S
    return {
        "device_requests": len(own),
        "device_fallbacks": sum(message["fallback"] != "none" for _, message in own),
        "device_unanswered": unanswered,
        "device_excused": excused,
        "device_late": late,
        "device_slowest_s": round(slowest, 2),
    }


def _overlaps(device: str, start: float, end: float, disturbed: list[Disturbance]) -> bool:
    return any(d.device == device and d.start <= end and start <= d.end for d in disturbed)


async def _audit(url: str) -> dict[str, Any]:
    """The report of `tercet audit`, run as a process."""
    process = await asyncio.create_subprocess_exec(
        *(
            sys.executable,
            "-m",
            "tercet.cli",
            "audit",
            f"--bus={url}",
            "--json",
            f"--settle={SETTLE_S}",
        ),
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    message, _ = await process.communicate()
    try:
        found: dict[str, Any] = json.loads(message)
    except ValueError:
        return {"balances": False}
    return found
