"""One process per name: who starts asks first whether the name is taken.

Two devices of one id would answer each other's rounds and spoil each other's record. So a service
that must be alone claims `claim.v1.<service>.<node>` while it runs. Who held the name before keeps
it; the newcomer ends with one line that names the other. When the first one dies its subscription
goes with it, and a restarted newcomer gets the name. Names are not proof: who may use which is for
the broker's permissions.
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
from tercet.messaging.subscription import settle
from tercet.process import log
from tercet.process.errors import Misconfigured, NoAnswer, Unprocessable
from tercet.process.settings import BusSettings, NodeSettings
from tercet.schemas.claim import Claim

PATIENCE = 1.0
"""Seconds in which the holder of a name answers; nobody there is known at once."""
ATTEMPTS = 3
SETTLED = 3.0
"""Seconds after which a name is kept whoever else comes."""

_log = log.get(__name__)


@asynccontextmanager
async def claimed(bus: Bus, service: str, settings: BusSettings) -> AsyncIterator[None]:
    """Hold the node's name while inside; raises Misconfigured when another process has it.

    A service that lives on no node, or need not be alone on it, claims nothing.
    """
    if isinstance(settings, NodeSettings) and settings.alone:
        async with _held(bus, service, settings.node):
            yield
    else:
        yield


@asynccontextmanager
async def _held(bus: Bus, service: str, node: str) -> AsyncIterator[None]:
    mine = Claim(service=service, node=node, process=f"{socket.gethostname()[:100]}/{os.getpid()}")
    other = await _holder(bus, mine)
    if other is not None and other.held:
        raise _taken(other)
    lost: asyncio.Future[Claim] = asyncio.get_running_loop().create_future()
    hearing = await bus.client.subscribe(mine.subject, cb=_Holder(bus, mine, lost).on_claim)
    try:
        await bus.publish(mine)  # Two that start at once hear each other here.
        # Not within the group: wait_for of Python 3.11 may swallow the cancellation of a loser.
        await settle(bus.client)
        async with asyncio.TaskGroup() as tasks:
            watch = tasks.create_task(_until_lost(lost))
            try:
                yield
            finally:
                watch.cancel()
    finally:
        if bus.client.is_connected:
            await hearing.unsubscribe()


async def _holder(bus: Bus, mine: Claim) -> Claim | None:
    """Who has the name. One that is there but silent is asked again, then taken for dead."""
    for _ in range(ATTEMPTS):
        try:
            return await bus.request(mine, Claim, PATIENCE)
        except NoAnswer as error:
            if not error.responder:
                return None
        except Unprocessable:
            return None
    return None


class _Holder:
    """Answers who asks for the name. Of two that start in the same moment the smaller id stays."""

    def __init__(self, bus: Bus, mine: Claim, lost: asyncio.Future[Claim]) -> None:
        self._bus, self._mine, self._lost = bus, mine, lost
        self._since = asyncio.get_running_loop().time()

    async def on_claim(self, raw: Msg) -> None:
        try:
            other = parse(Claim, raw.data)
        except Unprocessable as error:
            _log.warning("not a claim", subject=raw.subject, reason=str(error))
            return
        settled = asyncio.get_running_loop().time() - self._since > SETTLED
        if other.id == self._mine.id or self._lost.done():
            return
        if raw.reply:
            _log.warning("name asked for by another process", other=other.process)
            await raw.respond(self._said(held=True))
        elif other.held or (other.id < self._mine.id and not settled):
            self._lost.set_result(other)
        else:  # It came too late to hear ours.
            await self._bus.client.publish(raw.subject, self._said(held=settled))

    def _said(self, *, held: bool) -> bytes:
        return self._mine.model_copy(update={"held": held}).model_dump_json().encode()


async def _until_lost(lost: asyncio.Future[Claim]) -> None:
    raise _taken(await lost)


def _taken(other: Claim) -> Misconfigured:
    return Misconfigured(
        f"TERCET_NODE: {other.service} {other.node} runs already, as {other.process};"
        " give this one a name of its own"
    )
