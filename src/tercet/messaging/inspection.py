"""Read the state of a running system: streams, consumers, parameters, services, dead letters."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import Counter
from typing import Any

from nats.js.errors import NotFoundError

from tercet.messaging.buckets import open_bucket
from tercet.messaging.bus import Bus
from tercet.messaging.lease import parse_lease
from tercet.messaging.nats_errors import NATS_ERRORS
from tercet.messaging.parameter_store import ParameterStore
from tercet.messaging.topology import DURABLES, MEMBERS, STREAMS
from tercet.process.errors import Unprocessable
from tercet.schemas import CATALOGUE
from tercet.schemas.lease import Lease

OWNERS = ("policy", *(f"member-{k}" for k in range(MEMBERS)))
CONTROL_CHANGES = 10
"""Operator commands that are listed, the newest."""
STATS_TIMEOUT_S = 0.5
"""Seconds in which services answer to STATS."""
DEAD_LETTERS_READ = 1000
"""Dead letters whose reason is read, the newest."""


async def streams(bus: Bus) -> list[dict[str, Any]]:
    """Return messages, bytes and last sequence of every stream of the table."""
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
    """Return the lag of every durable: undelivered, unacknowledged, redelivered."""
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
    """Return the current parameters of every owner, and the training data in effect in them."""
    store = await ParameterStore.open(bus)
    found = []
    for owner in OWNERS:
        pointer = await store.pointer(owner)
        if pointer is not None:
            found.append(json.loads(pointer.model_dump_json(exclude={"id", "cause", "type"})))
    return found


async def leases(bus: Bus) -> list[dict[str, Any]]:
    """Return holder and epoch of each ensemble member; an empty holder: free."""
    bucket = await open_bucket(bus, "leases")
    found = []
    for slot in OWNERS[1:]:
        try:
            lease = parse_lease((await bucket.get(slot)).value)
        except (NotFoundError, Unprocessable):  # A malformed lease counts as free.
            lease = Lease()
        found.append({"slot": slot, **lease.model_dump()})
    return found


async def services(bus: Bus) -> list[dict[str, Any]]:
    """Return every micro service that answers STATS, with its requests and errors."""
    inbox = bus.client.new_inbox()
    answers: list[dict[str, Any]] = []

    async def on_answer(raw: Any) -> None:
        with contextlib.suppress(ValueError, KeyError, TypeError):  # Any client may answer.
            answers.append(_stats(raw.data))

    subscription = await bus.client.subscribe(inbox, cb=on_answer)
    await bus.client.publish("$SRV.STATS", b"", reply=inbox)
    await asyncio.sleep(STATS_TIMEOUT_S)
    await subscription.unsubscribe()
    return sorted(answers, key=lambda a: (a["name"], str(a["metadata"]), a["id"]))


def _stats(body: bytes) -> dict[str, Any]:
    """Return the fields that are shown; raises ValueError, KeyError or TypeError."""
    answer = json.loads(body)  # Empty when the broker reports that there is no responder.
    return {
        "name": str(answer["name"]),
        "id": str(answer["id"]),
        "metadata": dict(answer.get("metadata") or {}),
        "requests": sum(int(e["num_requests"]) for e in answer["endpoints"]),
        "errors": sum(int(e["num_errors"]) for e in answer["endpoints"]),
    }


async def control_changes(bus: Bus) -> list[dict[str, Any]]:
    """Return the last operator commands, oldest first: what, by whom, and when."""
    try:
        state = (await bus.js.stream_info("STEERING")).state
    except NotFoundError:
        return []
    found = []
    for sequence in range(
        max(state.first_seq, state.last_seq - CONTROL_CHANGES + 1, 1), state.last_seq + 1
    ):
        try:
            raw = await bus.js.get_msg("STEERING", sequence, direct=True)
            message = CATALOGUE[raw.subject or ""].model_validate_json(raw.data or b"")
        except (*NATS_ERRORS, KeyError, ValueError):
            continue
        fields = message.model_dump(mode="json", exclude={"id", "cause", "type", "at", "by"})
        text = " ".join(str(value) for value in fields.values())
        by = getattr(message, "by", "")
        found.append(
            {
                "at": message.at.isoformat(timespec="seconds"),
                "what": raw.subject or "",
                "value": text,
                "by": by,
            }
        )
    return found


async def dead_letters(bus: Bus) -> list[dict[str, Any]]:
    """Return the number of dead letters by subject and reason, most frequent first."""
    try:
        state = (await bus.js.stream_info("DEAD")).state
    except NotFoundError:
        return []
    counted: Counter[tuple[str, str]] = Counter()
    start = max(state.first_seq, state.last_seq - DEAD_LETTERS_READ + 1, 1)
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
