"""Open a KV bucket that the topology job has created."""

from __future__ import annotations

from functools import partial

from nats.js.errors import NotFoundError
from nats.js.kv import KeyValue

from tercet.messaging.bus import Bus
from tercet.process.errors import Misconfigured


async def open_bucket(bus: Bus, name: str) -> KeyValue:
    """Bind to a bucket; raises Misconfigured when it does not exist, TryLater without a broker."""
    try:
        return await bus.retry(partial(bus.js.key_value, name))
    except NotFoundError as error:
        raise Misconfigured(f"bucket {name} is not declared: tercet topology apply") from error
