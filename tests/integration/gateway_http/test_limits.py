"""Size, number and time of what is received are bounded, and others go on unaffected."""

from __future__ import annotations

import asyncio
import contextlib
import io
import socket
import time

from PIL import Image

from tercet.services.gateway.application import Full
from tercet.services.gateway.http.limits import Limits
from tests.integration.gateway_http.conftest import Gateway, running_front
from tests.integration.gateway_http.test_bad_input import INFER, check_refused, tensor
from tests.integration.gateway_http.test_formats import PICTURE


async def test_large_bodies_are_refused_by_their_length_and_by_their_size() -> None:
    async with running_front(Limits(body_bytes=1000, json_bytes=100)) as gateway:
        check_refused(await gateway.ask("POST", "/v1/infer", bytes(1001)), 413, "1000 bytes")
        chunked = await raw(gateway, CHUNKED + b"400\r\n" + bytes(1024) + b"\r\n0\r\n\r\n")
        assert chunked.startswith(b"HTTP/1.1 413 ")
        check_refused(await gateway.ask("POST", INFER, tensor() + bytes(100)), 413, "JSON")
        assert gateway.requests == []


CHUNKED = b"POST /v1/infer HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
HALF = b"POST /v1/infer HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf"


async def raw(gateway: Gateway, sent: bytes) -> bytes:
    """What the server writes until it closes, or is silent for half a second."""
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(sent)
    received = b""
    try:
        while part := await asyncio.wait_for(reader.read(65536), 0.5):
            received += part
    except (TimeoutError, ConnectionError):
        pass
    writer.close()
    return received


async def test_a_slow_body_is_refused() -> None:
    async with running_front(Limits(body_timeout_s=0.1)) as gateway:
        answered = await raw(gateway, HALF)
    assert answered.startswith(b"HTTP/1.1 408 ")
    assert b"the body did not arrive within 0.1 s" in answered


async def test_slow_headers_are_refused() -> None:
    async with running_front(Limits(receive_timeout_s=0.1)) as gateway:
        answered = await raw(gateway, b"POST /v1/infer HTTP/1.1\r\nHost:")
        silent = await raw(gateway, b"")
    assert answered.startswith(b"HTTP/1.1 408 ")
    assert silent == b""


async def test_what_is_no_http_is_refused(gateway: Gateway) -> None:
    assert (await raw(gateway, b"\x16\x03\x01\x02\r\n\r\n")).startswith(b"HTTP/1.1 400 ")
    endless = await raw(gateway, b"GET / HTTP/1.1\r\nX: " + bytes(70_000).replace(b"\0", b"x"))
    assert endless == b"" or endless.startswith(b"HTTP/1.1 4")
    assert (await gateway.ask("POST", "/v1/infer", PICTURE)).status == 200


async def test_many_connections_leave_room_for_one_that_asks() -> None:
    async with running_front(Limits(connections=20)) as gateway:
        slow = [await asyncio.open_connection("127.0.0.1", gateway.port) for _ in range(60)]
        for _, writer in slow:
            writer.write(HALF)
        reply = await gateway.ask("POST", "/v1/infer", PICTURE)
        ended = await asyncio.gather(*(is_closed(reader) for reader, _ in slow))
        for _, writer in slow:
            writer.close()
    assert reply.status == 200
    assert ended.count(False) <= 20


async def is_closed(reader: asyncio.StreamReader) -> bool:
    """Whether the server closes a connection within half a second."""
    try:
        await asyncio.wait_for(reader.read(), 0.5)
    except TimeoutError:
        return False
    except ConnectionError:
        pass
    return True


async def test_connections_that_are_answered_are_not_closed_for_others() -> None:
    async with running_front(Limits(connections=2)) as gateway:
        gateway.proceed.clear()
        asked = [asyncio.create_task(gateway.ask("POST", "/v1/infer", PICTURE)) for _ in range(2)]
        await gateway.received.acquire()
        await gateway.received.acquire()
        third = await raw(gateway, b"")
        gateway.proceed.set()
        assert [reply.status for reply in await asyncio.gather(*asked)] == [200, 200]
    assert third.startswith(b"HTTP/1.1 503 ")


async def test_requests_in_progress_are_bounded_and_the_next_is_answered() -> None:
    async with running_front(Limits(in_progress=1)) as gateway:
        gateway.proceed.clear()
        first = asyncio.create_task(gateway.ask("POST", "/v1/infer", PICTURE))
        await gateway.received.acquire()
        started = time.perf_counter()
        second = await gateway.ask("POST", "/v1/infer", PICTURE)
        print(f"refused after {1000 * (time.perf_counter() - started):.1f} ms")
        assert (second.status, second.headers["retry-after"]) == (503, "1")
        assert gateway.refused_here == 1
        gateway.proceed.set()
        assert (await first).status == 200
        assert (await gateway.ask("POST", "/v1/infer", PICTURE)).status == 200


async def test_without_room_a_request_is_refused_before_its_body_has_arrived(
    gateway: Gateway,
) -> None:
    """And the connection stays usable: the rest of the body is read and dropped."""
    gateway.no_room = Full("all nodes are overloaded", 2.5)
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    head = b"POST /v1/infer HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(PICTURE)
    writer.write(head + PICTURE[:100])
    status, fields = await response(reader)
    assert (status, fields["retry-after"]) == (503, "3")
    assert gateway.requests == []
    gateway.no_room = None
    writer.write(PICTURE[100:] + head + PICTURE)
    assert (await response(reader))[0] == 200
    assert [request.picture for request in gateway.requests] == [PICTURE]
    writer.close()


async def test_a_pipelined_request_after_a_refused_one_is_answered(gateway: Gateway) -> None:
    gateway.no_room = Full("all nodes are overloaded", 1.0)
    body = b"\r\nContent-Length: 4\r\n\r\nbody"
    answered = await raw(
        gateway,
        b"POST /v1/infer HTTP/1.1\r\nHost: x" + body + b"GET /v2 HTTP/1.1\r\nHost: x\r\n\r\n",
    )
    assert answered.count(b"HTTP/1.1 ") == 2
    assert answered.startswith(b"HTTP/1.1 503 ")
    assert b"HTTP/1.1 200 " in answered


async def test_what_follows_a_refusal_is_bounded() -> None:
    async with running_front(Limits(body_bytes=100_000)) as gateway:
        gateway.no_room = Full("all nodes are overloaded", 1.0)
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        writer.write(CHUNKED)
        assert (await response(reader))[0] == 503
        with contextlib.suppress(ConnectionError):
            for _ in range(40):
                writer.write(b"2800\r\n" + bytes(0x2800) + b"\r\n")
                await writer.drain()
        assert await is_closed(reader)
        writer.close()


async def response(reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    """Status and headers of the next response on a connection; its body is read."""
    head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)).decode().split("\r\n")
    fields = dict(line.lower().split(": ", 1) for line in head[1:] if line)
    await reader.readexactly(int(fields["content-length"]))
    return int(head[0].split()[1]), fields


async def test_the_memory_of_all_bodies_is_bounded() -> None:
    async with running_front(Limits(memory_bytes=len(PICTURE) + 1000)) as gateway:
        gateway.proceed.clear()
        first = asyncio.create_task(gateway.ask("POST", "/v1/infer", PICTURE))
        await gateway.received.acquire()
        check_refused(await gateway.ask("POST", "/v1/infer", PICTURE), 503, "memory")
        gateway.proceed.set()
        assert (await first).status == 200
        assert (await gateway.ask("POST", "/v1/infer", PICTURE)).status == 200


async def test_a_client_that_goes_away_leaves_nothing_behind(gateway: Gateway) -> None:
    for _ in range(3):
        with socket.create_connection(("127.0.0.1", gateway.port)) as connection:
            connection.sendall(HALF)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    assert (await gateway.ask("POST", "/v1/infer", PICTURE)).status == 200


async def test_a_defect_is_a_status_too_and_the_next_request_is_answered() -> None:
    async with running_front() as gateway:
        good, gateway.answer = gateway.answer, None  # type: ignore[assignment]
        check_refused(await gateway.ask("POST", "/v1/infer", PICTURE), 500, "internal error")
        gateway.answer = good
        assert (await gateway.ask("POST", "/v1/infer", PICTURE)).status == 200


async def test_a_large_photograph_is_made_smaller(gateway: Gateway) -> None:
    noise = Image.effect_noise((2000, 1500), 90).convert("RGB")
    buffer = io.BytesIO()
    noise.save(buffer, "JPEG", quality=95)
    assert len(buffer.getvalue()) > 512 * 1024
    assert (await gateway.ask("POST", "/v1/infer", buffer.getvalue())).status == 200
    assert len(gateway.requests[0].picture) <= 512 * 1024
