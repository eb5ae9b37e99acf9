"""The demonstration makes requests of its own accord only where no application does."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest

from tercet.models.images import Picture
from tercet.schemas.round import Round
from tercet.services.gateway.application import Answer, ApplicationRequest
from tercet.services.gateway.settings import GatewaySettings
from tercet.services.gateway.sources.demonstration import Demonstration, next_round


async def requests_made(idle: float | None, *, aside: bool = False, opened: bool = False) -> int:
    """Requests in a quarter of a second."""
    made = list[ApplicationRequest]()

    async def infer(request: ApplicationRequest, _: Round | None) -> Answer:
        made.append(request)
        return Answer(
            uuid4(), "ok", (), "d0@L", "a", None, None, 0.0, 0.0, 1.0, 1.0, None, ""
        )  # fmt: skip

    demonstration = Demonstration(GatewaySettings(node="a", idle=idle), infer)
    if aside:
        demonstration.step_aside()
    if opened:
        await demonstration.on_round(Round(number=1, devices=("a",), policy="explore"))
    stop = asyncio.Event()
    running = asyncio.create_task(demonstration.run([Picture("x", b"")], stop))
    await asyncio.sleep(0.25)
    stop.set()
    await running
    return len(made)


@pytest.mark.parametrize(
    ("idle", "facts", "most"),
    [(0.02, {}, 99), (None, {}, 0), (0.02, {"aside": True}, 0), (None, {"opened": True}, 1)],
)
async def test_who_makes_requests(idle: float | None, facts: dict[str, bool], most: int) -> None:
    made = await requests_made(idle, **facts)
    assert min(most, 1) <= made <= most


async def test_of_several_rounds_the_newest_is_used() -> None:
    rounds: asyncio.Queue[Round] = asyncio.Queue()
    for number in (1, 2, 3):
        rounds.put_nowait(Round(number=number, devices=("a",), policy="x"))
    found = await next_round(rounds, asyncio.Event(), idle=1)
    assert found is not None
    assert found.number == 3
    assert await next_round(rounds, asyncio.Event(), idle=0.05) is None
