"""The last decision stays in force without an orchestrator, without a broker, over a restart."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tercet.messaging.bus import Bus, connect
from tercet.messaging.responder import responding
from tercet.process.errors import Misconfigured
from tercet.process.settings import BusSettings
from tercet.schemas.decision import Decision
from tercet.schemas.outcome import Outcome
from tercet.schemas.request import Request
from tercet.schemas.round import Round
from tercet.services.gateway.decision_in_force import FILE, DecisionInForce
from tercet.services.gateway.service import main
from tercet.services.gateway.settings import GatewaySettings
from tests.conftest import Server
from tests.integration.services.gateways import decision, serving


@asynccontextmanager
async def following(bus: Bus, folder: Path | None = None) -> AsyncIterator[DecisionInForce]:
    stop, decisions = asyncio.Event(), DecisionInForce("cam-1", folder)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(decisions.follow(bus, stop))
        yield decisions
        stop.set()


async def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    for _ in range(int(seconds / 0.02)):
        if condition():
            return
        await asyncio.sleep(0.02)
    pytest.fail("not in time")


async def test_it_follows_and_a_newcomer_reads_the_last_one(bus: Bus) -> None:
    first, second = decision("d0@C"), decision("d3@L", "d0@E 40")
    async with following(bus) as decisions:
        await asyncio.sleep(0.1)
        for message in (first, second):
            await bus.publish(message)
        await until(lambda: decisions.current == second)
    async with following(bus) as newcomer:
        await until(lambda: newcomer.current == second)


async def test_one_of_another_device_is_not_in_force(bus: Bus) -> None:
    async with following(bus) as decisions:
        await asyncio.sleep(0.1)
        other = decision("d0@C").model_copy(update={"device": "cam-2"})
        await bus.publish(other)
        await bus.client.publish("decision.v1.cam-1", other.model_dump_json().encode())
        await asyncio.sleep(0.3)
        assert decisions.current is None


async def test_what_was_missed_during_an_outage_is_read(
    bus: Bus, server: Server, settings: BusSettings
) -> None:
    async with following(bus) as decisions:
        await bus.publish(decision("d0@C"))
        await until(lambda: decisions.current is not None)
        server.kill()
        await until(lambda: bus.disconnected)
        assert decisions.current is not None
        server.start()
        missed = decision("d3@L")
        async with connect(settings, "orchestrator") as other:
            await other.publish(missed)
            await other.client.flush()
            await until(lambda: decisions.current == missed)


async def test_it_is_kept_on_disk(bus: Bus, tmp_path: Path) -> None:
    kept = decision("d3@L", "d0@E 40")
    async with following(bus, tmp_path) as decisions:
        await bus.publish(kept)
        await until((tmp_path / FILE).exists)
        assert decisions.current == kept
    assert DecisionInForce("cam-1", tmp_path).current == kept
    assert DecisionInForce("cam-2", tmp_path).current is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"type": "decision.v1"}'])
def test_an_unreadable_file_is_no_decision(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text)
    assert DecisionInForce("cam-1", tmp_path).current is None


def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Misconfigured, match="TERCET_STATE"):
        DecisionInForce("cam-1", tmp_path / "file")


async def test_where_no_stream_can_be_read_the_orchestrator_is_asked_once(bus: Bus) -> None:
    requests = []

    async def answer(request: Request) -> Decision:
        requests.append(request)
        return decision("d3@L")

    await bus.js.delete_stream("DECISIONS")
    async with responding(bus, "orchestrator") as responder:
        await responder.serve(Request, answer)
        async with following(bus) as decisions:
            await until(lambda: decisions.current is not None)
            await asyncio.sleep(2.5)
    assert len(requests) == 1


@asynccontextmanager
async def running(bus: Bus, models: Path, state: Path, **settings: Any) -> AsyncIterator[None]:
    """A whole gateway of `cam-1`."""
    stop = asyncio.Event()
    facts = {"node": "cam-1", "models": models, "state": state, "gateway_port": 0, **settings}
    read = GatewaySettings(**facts)
    bus.ready = False
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(main(bus, read, stop))
        await until(lambda: bus.ready)
        yield
        stop.set()


async def requested(bus: Bus, outcomes: asyncio.Queue[Outcome]) -> Outcome:
    """The outcome of one request, made by a round."""
    await bus.publish(Round(number=1, devices=("cam-1",), policy="explore"))
    async with asyncio.timeout(20):
        return await outcomes.get()


async def test_without_an_orchestrator_every_request_is_answered_by_the_last_decision(
    bus: Bus, models: Path, tmp_path: Path
) -> None:
    """Also by a gateway that was restarted meanwhile, and finds nothing on the stream."""
    last, outcomes = decision("d3@L"), asyncio.Queue[Outcome]()
    await bus.subscribe(Outcome, outcomes.put)
    async with serving(bus, cam_1="ok"):
        async with running(bus, models, tmp_path):
            await bus.publish(last)
            await until((tmp_path / FILE).exists)
            found = [await requested(bus, outcomes) for _ in range(3)]
        await bus.js.purge_stream("DECISIONS")
        async with running(bus, models, tmp_path):
            found += [await requested(bus, outcomes) for _ in range(3)]
    assert {(o.executed, o.fallback, o.cause) for o in found} == {("d3@L", "none", last.id)}
    assert {o.source for o in found} == {"demonstration"}
    assert all(o.frame for o in found)


async def test_without_a_broker_it_runs_as_decided_in_its_own_process(
    bus: Bus, server: Server, models: Path, tmp_path: Path
) -> None:
    last, outcomes = decision("d3@L"), asyncio.Queue[Outcome]()
    (tmp_path / FILE).write_text(last.model_dump_json())
    await bus.subscribe(Outcome, outcomes.put)
    async with running(bus, models, tmp_path, idle=0.2):
        async with serving(bus, cam_1="ok"):
            async with asyncio.timeout(20):
                await outcomes.get()
        server.kill()
        await until(lambda: bus.disconnected)
        await asyncio.sleep(1.0)
        server.start()
        async with asyncio.timeout(30):
            while (await outcomes.get()).fallback != "no-responder":
                pass
            found = await outcomes.get()
    assert (found.executed, found.assigned, found.node) == ("d3@L", "d3@L", "cam-1")
