"""One process per service and node name: a process that starts asks whether its name is in use.

Two gateways with one device's name would both answer its rounds, and mix their measurements. A
service that must be unique therefore locks `claim.v1.<service>.<node>` while it runs, by
subscribing to that subject. The process that has the lock keeps it; a second one exits with one
line that names the first. When the first exits, its subscription ends, and a restarted second one
gets the name. The lock is no protection against malice: the broker's permissions are.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from nats.aio.msg import Msg

from tercet.messaging.bus import Bus
from tercet.messaging.parsing import parse
from tercet.messaging.subscription import flush_subscriptions
from tercet.process import log
from tercet.process.errors import Misconfigured, NoAnswer, Unprocessable
from tercet.process.settings import BusSettings, NodeSettings
from tercet.schemas.claim import Claim

ANSWER_TIMEOUT_S = 1.0
"""Seconds in which the holder of a name answers; without a holder the broker answers at once."""
ATTEMPTS = 3
SETTLED_AFTER_S = 3.0
"""Seconds after which a lock is kept, whichever process starts then."""

_log = log.get(__name__)


@asynccontextmanager
async def hold_name(bus: Bus, service: str, settings: BusSettings) -> AsyncIterator[None]:
    """Hold the node's name while inside; raises Misconfigured when another process has it.

    Does nothing for a service that belongs to no node, or need not be unique on it.
    """
    if isinstance(settings, NodeSettings) and settings.must_be_unique:
        if not bus.disconnected:
            async with _held(bus, service, settings.node):
                yield
            return
        async with asyncio.TaskGroup() as tasks:
            later = tasks.create_task(_held_later(bus, service, settings.node))
            yield
            later.cancel()
    else:
        yield


async def _held_later(bus: Bus, service: str, node: str) -> None:
    """Hold the name from when a broker is reached; raises Misconfigured when it is in use."""
    for_ever = asyncio.Event()
    if await bus.reached(for_ever):
        async with _held(bus, service, node):
            await for_ever.wait()


@asynccontextmanager
async def _held(bus: Bus, service: str, node: str) -> AsyncIterator[None]:
    mine = Claim(service=service, node=node, process=f"{socket.gethostname()[:100]}/{os.getpid()}")
    other = await _holder(bus, mine)
    if other is not None and other.held:
        raise _in_use(other)
    lock = NameLock(bus, mine)
    subscription = await bus.client.subscribe(mine.subject, cb=lock.on_claim)
    try:
        await bus.publish(mine)  # Two that start at once receive each other's here.
        # Not within the group: wait_for of Python 3.11 may swallow the cancellation of the loser.
        await flush_subscriptions(bus.client)
        async with asyncio.TaskGroup() as tasks:
            watch = tasks.create_task(_raise_when_lost(lock.lost))
            try:
                yield
            finally:
                watch.cancel()
    finally:
        if bus.client.is_connected:
            await subscription.unsubscribe()


async def _holder(bus: Bus, mine: Claim) -> Claim | None:
    """Return the holder's answer. One that does not answer is asked again, then disregarded."""
    for _ in range(ATTEMPTS):
        try:
            return await bus.request(mine, Claim, ANSWER_TIMEOUT_S)
        except NoAnswer as error:
            if not error.responder:
                return None
        except Unprocessable:
            return None
    return None


class NameLock:
    """Answers other processes that want the name. Of two that start at once the smaller id wins."""

    def __init__(self, bus: Bus, mine: Claim) -> None:
        self._bus, self._mine = bus, mine
        self._loop = asyncio.get_running_loop()
        self._since = self._loop.time()
        self.lost: asyncio.Future[Claim] = self._loop.create_future()
        """Gets the claim of the process that the name is lost to."""

    async def on_claim(self, raw: Msg) -> None:
        """Answer another process's claim of the name, or give the name up to it."""
        try:
            other = parse(Claim, raw.data)
        except Unprocessable as error:
            _log.warning("malformed claim", subject=raw.subject, reason=str(error))
            return
        settled = self._loop.time() - self._since > SETTLED_AFTER_S
        if other.id == self._mine.id or self.lost.done():
            return
        if raw.reply:
            _log.warning("name requested by another process", other=other.process)
            await raw.respond(self._answer(held=True))
        elif other.held or (other.id < self._mine.id and not settled):
            self.lost.set_result(other)
        else:  # It subscribed too late to receive ours.
            await self._bus.client.publish(raw.subject, self._answer(held=settled))

    def _answer(self, *, held: bool) -> bytes:
        return self._mine.model_copy(update={"held": held}).model_dump_json().encode()


async def _raise_when_lost(lost: asyncio.Future[Claim]) -> None:
    raise _in_use(await lost)


def _in_use(other: Claim) -> Misconfigured:
    return Misconfigured(
        f"TERCET_NODE: {other.service} {other.node} runs already, as {other.process};"
        " give this one a name of its own"
    )
