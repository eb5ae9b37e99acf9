"""Publish, request, subscribe, replay: against a real server."""

from __future__ import annotations

import asyncio

import pytest

from tercet.messaging.bus import Bus, connect
from tercet.messaging.parameter_store import ParameterStore
from tercet.messaging.responder import RawRequest, responding
from tercet.messaging.stream_reader import last_message
from tercet.process.errors import Misconfigured, NoAnswer, RateLimited, Unprocessable
from tercet.process.settings import BusSettings
from tercet.schemas.capability import Capability
from tercet.schemas.classification import Classification
from tercet.schemas.decision import Decision
from tercet.schemas.outcome import Outcome
from tercet.schemas.request import Request
from tercet.schemas.round import Round
from tests.conftest import Server


def outcome(device: str = "cam-1", ms: float = 12.0) -> Outcome:
    return Outcome(device=device, node=device, executed="d0@L", response_ms=ms)


def capability(node: str, ms: float = 1.0) -> Capability:
    return Capability(
        node=node,
        tier="device",
        home="edge-1",
        accuracy_pct={"d0": 89.9},
        profile_ms={"d0": ms},
    )


async def decide(request: Request) -> Decision:
    return Decision.caused_by(
        request, device=request.device, option="d3@L", node="cam-1", goal="85", policy="test"
    )


async def dead_letters(bus: Bus) -> list[tuple[str, str]]:
    """Return subject and reason of every dead letter."""
    await bus.client.flush()
    info = await bus.js.stream_info("DEAD")
    found = []
    for sequence in range(max(info.state.first_seq, 1), info.state.last_seq + 1):
        raw = await bus.js.get_msg("DEAD", sequence, direct=True)
        found.append((raw.subject or "", (raw.headers or {}).get("Reason", "")))
    return found


async def test_a_message_arrives_unchanged(bus: Bus) -> None:
    received: asyncio.Queue[Outcome] = asyncio.Queue()
    await bus.subscribe(Outcome, received.put)
    published = outcome()
    await bus.publish(published)
    assert await asyncio.wait_for(received.get(), 20) == published


async def test_a_message_whose_id_another_sender_used_is_received_too(bus: Bus) -> None:
    received: asyncio.Queue[Outcome] = asyncio.Queue()
    await bus.subscribe(Outcome, received.put)
    original = outcome()
    copied = original.model_copy(update={"device": "cam-2", "node": "cam-2"})
    for message in (copied, original):
        await bus.client.publish(message.subject, message.model_dump_json().encode())
    devices = [(await asyncio.wait_for(received.get(), 20)).device for _ in range(2)]
    assert devices == ["cam-2", "cam-1"]


async def test_a_message_published_twice_is_stored_once(bus: Bus) -> None:
    message = outcome()
    await bus.publish(message)
    await bus.publish(message)
    assert (await bus.js.stream_info("OUTCOMES")).state.messages == 1


async def test_a_malformed_message_is_dead_lettered_and_the_next_one_handled(bus: Bus) -> None:
    received: asyncio.Queue[Outcome] = asyncio.Queue()
    await bus.subscribe(Outcome, received.put)
    await bus.client.publish("outcome.v1.cam-1", b"{not json")
    await bus.client.publish("outcome.v1.cam-1", b'{"device": "cam-1", "response_ms": -4}')
    await bus.publish(outcome())
    assert (await asyncio.wait_for(received.get(), 20)).device == "cam-1"
    found = await dead_letters(bus)
    assert [subject for subject, _ in found] == ["dead.outcome.v1.cam-1"] * 2
    assert "JSON" in found[0][1]
    assert "Outcome: node" in found[1][1]


async def test_a_handler_that_fails_does_not_end_the_subscription(bus: Bus) -> None:
    received: asyncio.Queue[Outcome] = asyncio.Queue()

    async def fails_once(message: Outcome) -> None:
        if message.response_ms == 1:
            raise RuntimeError("a bug")
        await received.put(message)

    await bus.subscribe(Outcome, fails_once)
    await bus.publish(outcome(ms=1))
    await bus.publish(outcome(ms=2))
    assert (await asyncio.wait_for(received.get(), 20)).response_ms == 2


async def test_a_request_is_answered(bus: Bus) -> None:
    async with responding(bus, "orchestrator") as responder:
        await responder.serve(Request, decide)
        decision = await bus.request(Request(device="cam-1"), Decision, 2)
    assert decision.option == "d3@L"


async def test_a_responder_is_registered_once_serve_returns(
    bus: Bus, settings: BusSettings
) -> None:
    async with connect(settings, "other") as other:
        for k in range(100):
            async with responding(bus, "orchestrator") as responder:
                await responder.serve(Request, decide, device=f"cam-{k}")
                await other.request(Request(device=f"cam-{k}"), Decision, 2)


async def test_a_request_that_no_process_serves_fails_at_once(bus: Bus) -> None:
    with pytest.raises(NoAnswer) as caught:
        await bus.request(Request(device="cam-1"), Decision, 0.5)
    assert not caught.value.responder


async def test_a_request_whose_responder_is_too_slow_times_out(bus: Bus) -> None:
    async def never(request: Request) -> Decision:
        await asyncio.sleep(5)
        return await decide(request)

    async with responding(bus, "orchestrator") as responder:
        await responder.serve(Request, never)
        with pytest.raises(NoAnswer) as caught:
            await bus.request(Request(device="cam-1"), Decision, 0.1)
    assert caught.value.responder


async def test_a_malformed_request_is_refused_and_dead_lettered(bus: Bus) -> None:
    async with responding(bus, "orchestrator") as responder:
        await responder.serve(Request, decide)
        with pytest.raises(Unprocessable, match="device"):
            await bus.request_raw("request.v1.cam-1", b"{}", None, Decision, 2)
        assert (await bus.request(Request(device="cam-1"), Decision, 2)).option == "d3@L"
    assert await dead_letters(bus) == [("dead.request.v1.cam-1", "Request: device: Field required")]


async def test_a_request_above_its_rate_has_no_answer_now_and_is_not_dead_lettered(
    bus: Bus,
) -> None:
    async def limited(request: Request) -> Decision:
        raise RateLimited(f"device: {request.device} asks more than 10 a second")

    async with responding(bus, "orchestrator") as responder:
        await responder.serve(Request, limited)
        with pytest.raises(NoAnswer, match="more than 10 a second") as caught:
            await bus.request(Request(device="cam-1"), Decision, 20)
    assert caught.value.responder
    assert await dead_letters(bus) == []


async def test_raw_requests_are_answered_concurrently(bus: Bus) -> None:
    both = asyncio.Barrier(2)

    async def answer(raw: RawRequest) -> Classification:
        await both.wait()  # Would never pass if the second had to wait for the first.
        return Classification(node="cam-1", status="ok", variant=raw.headers["Variant"])

    async with responding(bus, "inference") as responder:
        await responder.serve_raw("inference.v1.cam-1", answer, name="inference")
        replies = await asyncio.gather(
            *(
                bus.request_raw("inference.v1.cam-1", b"jpeg", {"Variant": v}, Classification, 2)
                for v in ("d1", "d2")
            )
        )
    assert [reply.variant for reply in replies] == ["d1", "d2"]


async def test_a_request_without_a_reply_subject_does_not_disturb_others(bus: Bus) -> None:
    async def answer(raw: RawRequest) -> Classification:
        return Classification(node="cam-1", status="ok")

    async with responding(bus, "inference") as responder:
        await responder.serve(Request, decide)
        await responder.serve_raw("inference.v1.cam-1", answer, name="inference")
        for subject in ("inference.v1.cam-1", "request.v1.cam-1"):
            await bus.client.publish(subject, b"x")
        reply = await bus.request_raw("inference.v1.cam-1", b"x", None, Classification, 2)
        assert reply.status == "ok"
        assert (await bus.request(Request(device="cam-1"), Decision, 2)).option == "d3@L"


async def test_an_undeclared_bucket_or_stream_is_a_misconfiguration(settings: BusSettings) -> None:
    async with connect(settings, "test") as bare:
        with pytest.raises(Misconfigured, match="topology apply"):
            await ParameterStore.open(bare)
        with pytest.raises(Misconfigured, match="topology apply"):
            await last_message(bare, Outcome)


async def test_a_micro_service_answers_ping_info_and_stats(bus: Bus) -> None:
    async with responding(bus, "orchestrator") as responder:
        await responder.serve(Request, decide)
        await bus.request(Request(device="cam-1"), Decision, 2)
        for verb in ("PING", "INFO", "STATS"):
            reply = await bus.client.request(f"$SRV.{verb}.orchestrator", timeout=2)
            assert b'"orchestrator"' in reply.data


async def test_an_unreachable_broker_is_a_misconfiguration() -> None:
    settings = BusSettings(bus_url="nats://127.0.0.1:9", connect_patience=0.3)
    with pytest.raises(Misconfigured, match=r"127\.0\.0\.1:9"):
        async with connect(settings, "test"):
            pass


async def test_a_kept_message_survives_a_broker_restart(bus: Bus, server: Server) -> None:
    server.kill()
    publishing = asyncio.create_task(bus.publish(outcome()))
    await asyncio.sleep(0.5)
    server.start()
    await asyncio.wait_for(publishing, 10)
    assert (await bus.js.stream_info("OUTCOMES")).state.messages == 1


async def test_a_subscription_continues_after_a_broker_restart(bus: Bus, server: Server) -> None:
    received: asyncio.Queue[Round] = asyncio.Queue()
    await bus.subscribe(Round, received.put)
    server.kill()
    server.start()
    opened = Round(number=1, devices=("cam-1",), policy="explore")
    for _ in range(50):
        await bus.publish(opened)
        try:
            assert (await asyncio.wait_for(received.get(), 0.2)).id == opened.id
        except TimeoutError:
            continue
        return
    pytest.fail("nothing received")
