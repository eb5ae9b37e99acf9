"""Look at a running system from outside: streams, consumers, parameters, services, the buried."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import Counter
from typing import Any

from nats.js.errors import NotFoundError

from tercet.messaging.bus import Bus
from tercet.messaging.nats_errors import NATS_ERRORS
from tercet.messaging.store import ParameterStore, bucket_of
from tercet.messaging.topology import DURABLES, MEMBERS, STREAMS
from tercet.schemas import CATALOGUE
from tercet.schemas.lease import Lease

OWNERS = ("policy", *(f"member-{k}" for k in range(MEMBERS)))
STEERED = 10
"""Changes that are looked back at."""
LISTENING = 0.5
"""Seconds in which services answer to their name."""
BURIED_READ = 1000
"""Buried messages that are looked at for their reason, newest first."""


async def streams(bus: Bus) -> list[dict[str, Any]]:
    """Messages, bytes and last sequence of every stream of the table."""
    found = []
    for name in STREAMS:
        try:
            state = (await bus.js.stream_info(name)).state
        except NotFoundError:
            found.append({"name": name, "missing": True})
            continue
        found.append(
            {
                "name": name,
                "messages": state.messages,
                "bytes": state.bytes,
                "last_sequence": state.last_seq,
            }
        )
    return found


async def consumers(bus: Bus) -> list[dict[str, Any]]:
    """Lag of every durable: not yet delivered, delivered but not acknowledged, redelivered."""
    found = []
    for durable in DURABLES.values():
        try:
            info = await bus.js.consumer_info(durable.stream, durable.name)
        except NotFoundError:
            found.append({"name": durable.name, "missing": True})
            continue
        found.append(
            {
                "name": durable.name,
                "stream": durable.stream,
                "lag": info.num_pending or 0,
                "unacknowledged": info.num_ack_pending or 0,
                "redelivered": info.num_redelivered or 0,
            }
        )
    return found


async def parameters(bus: Bus) -> list[dict[str, Any]]:
    """Current version of every owner, and what it has learned from."""
    store = await ParameterStore.open(bus)
    found = []
    for owner in OWNERS:
        pointer = await store.pointer(owner)
        if pointer is not None:
            found.append(json.loads(pointer.model_dump_json(exclude={"id", "cause", "type"})))
    return found


async def leases(bus: Bus) -> list[dict[str, Any]]:
    """Who holds which member of the system model, under which epoch; empty: nobody."""
    bucket = await bucket_of(bus, "leases")
    found = []
    for slot in OWNERS[1:]:
        try:
            entry = await bucket.get(slot)
        except NotFoundError:
            found.append({"slot": slot, "holder": "", "epoch": 0})
            continue
        found.append({"slot": slot, **Lease.model_validate_json(entry.value or b"").model_dump()})
    return found


async def services(bus: Bus) -> list[dict[str, Any]]:
    """Every micro service that answers STATS, with its requests, errors and mean time."""
    inbox = bus.client.new_inbox()
    answers: list[dict[str, Any]] = []

    async def on_answer(raw: Any) -> None:
        with contextlib.suppress(ValueError, KeyError, TypeError):  # Anyone may answer anything.
            answers.append(_stats(raw.data))

    subscription = await bus.client.subscribe(inbox, cb=on_answer)
    await bus.client.publish("$SRV.STATS", b"", reply=inbox)
    await asyncio.sleep(LISTENING)
    await subscription.unsubscribe()
    return sorted(answers, key=lambda a: (a["name"], str(a["metadata"]), a["id"]))


def _stats(body: bytes) -> dict[str, Any]:
    """One service's answer in short; raises ValueError, KeyError or TypeError when it is none."""
    answer = json.loads(body)  # Empty: the broker's word that nobody is there.
    return {
        "name": str(answer["name"]),
        "id": str(answer["id"]),
        "metadata": dict(answer.get("metadata") or {}),
        "requests": sum(int(e["num_requests"]) for e in answer["endpoints"]),
        "errors": sum(int(e["num_errors"]) for e in answer["endpoints"]),
    }


async def steering(bus: Bus) -> list[dict[str, Any]]:
    """What operators changed last, oldest first: goal, exploration, reset; by whom, and when."""
    try:
        state = (await bus.js.stream_info("STEERING")).state
    except NotFoundError:
        return []
    found = []
    for sequence in range(
        max(state.first_seq, state.last_seq - STEERED + 1, 1), state.last_seq + 1
    ):
        try:
            raw = await bus.js.get_msg("STEERING", sequence, direct=True)
            message = CATALOGUE[raw.subject or ""].model_validate_json(raw.data or b"")
        except (*NATS_ERRORS, KeyError, ValueError):
            continue
        said = message.model_dump(mode="json", exclude={"id", "cause", "type", "at", "by"})
        words = " ".join(str(value) for value in said.values())
        by = getattr(message, "by", "")
        found.append(
            {
                "at": message.at.isoformat(timespec="seconds"),
                "what": raw.subject or "",
                "value": words,
                "by": by,
            }
        )
    return found


async def buried(bus: Bus) -> list[dict[str, Any]]:
    """What was buried, counted by subject and reason, most frequent first."""
    try:
        state = (await bus.js.stream_info("DEAD")).state
    except NotFoundError:
        return []
    counted: Counter[tuple[str, str]] = Counter()
    start = max(state.first_seq, state.last_seq - BURIED_READ + 1, 1)
    for sequence in range(start, state.last_seq + 1):
        try:
            raw = await bus.js.get_msg("DEAD", sequence, direct=True)
        except NATS_ERRORS:
            continue
        counted[(raw.subject or "", (raw.headers or {}).get("Reason", ""))] += 1
    return [
        {"subject": subject, "reason": reason, "count": count}
        for (subject, reason), count in counted.most_common()
    ]
