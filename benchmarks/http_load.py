"""Post pictures to a gateway at a steady rate, whatever becomes of them, from a process of its own.

`python -m benchmarks.http_load PORT RATE SECONDS CONNECTIONS` writes JSON: for each request when it
was sent, its status and the milliseconds until the whole response was there; `began` is on a clock
that all processes of this host share. A rate of 0 is a closed loop: each connection sends its next
request when it has its answer. Connections are kept open. No request waits in this process: one
that finds all connections busy is counted, not sent.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from tercet.models.classifier import photograph

STEP_S = 0.002
"""Seconds between two looks at the clock."""
LAST_ANSWERS_S = 5.0
"""Seconds that are waited for the answers to the last requests."""

Ended = Callable[["Connection", int, float], None]
"""Takes a connection whose request has ended, the status (0: it was closed) and milliseconds."""


class Connection(asyncio.Protocol):
    """One connection, with at most one request at a time."""

    def __init__(self, ended: Ended) -> None:
        self._ended, self._received = ended, bytearray()
        self.sent_at: float | None = None
        """When the request in progress was sent; None without one."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def send(self, request: bytes) -> None:
        """Begin a request."""
        self._received.clear()
        self.sent_at = time.perf_counter()
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        """Collect the response until its length is reached."""
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        if not found:
            return
        fields = dict(line.split(b": ", 1) for line in bytes(head).lower().split(b"\r\n")[1:])
        if len(body) >= int(fields[b"content-length"]):
            self._end(int(head[9:12]))

    def connection_lost(self, error: Exception | None) -> None:
        """A request in progress has failed."""
        self._end(0)

    def _end(self, status: int) -> None:
        if self.sent_at is not None:
            took_ms, self.sent_at = (time.perf_counter() - self.sent_at) * 1000, None
            self._ended(self, status, took_ms)


@dataclass
class Generator:
    """The load of one run."""

    port: int
    request: bytes
    connections: int
    began: float = field(default_factory=time.perf_counter)
    ended: list[tuple[float, int, float]] = field(default_factory=list)
    """(second in which it was sent, status, milliseconds)."""
    unsent: int = 0
    unanswered: int = 0
    """Requests without an answer LAST_ANSWERS_S after the last one was sent."""
    _idle: list[Connection] = field(default_factory=list)
    _all: list[Connection] = field(default_factory=list)

    async def open(self) -> None:
        """Open all connections."""
        loop = asyncio.get_running_loop()
        for _ in range(self.connections):
            _, made = await loop.create_connection(
                lambda: Connection(self._on_end), "127.0.0.1", self.port
            )
            self._idle.append(made)
            self._all.append(made)
        self.began = time.perf_counter()

    async def run(self, rate: float, seconds: float) -> None:
        """Send for so long; then wait for what is in progress."""
        made, now = 0, 0.0
        while (now := time.perf_counter() - self.began) < seconds:
            while self._idle if rate == 0 else made < now * rate:
                made += 1
                self._send_one()
            await asyncio.sleep(STEP_S)
        await self._last_answers()
        for connection in self._all:
            connection.transport.close()

    async def _last_answers(self) -> None:
        """Wait for what is in progress."""
        until = time.perf_counter() + LAST_ANSWERS_S
        while self._busy() and time.perf_counter() < until:  # noqa: ASYNC110  (it is polled anyway)
            await asyncio.sleep(STEP_S)
        self.unanswered = self._busy()

    def _busy(self) -> int:
        return sum(connection.sent_at is not None for connection in self._all)

    def _send_one(self) -> None:
        while self._idle and self._idle[-1].transport.is_closing():
            self._idle.pop()  # The server closes those that were idle for long.
        if self._idle:
            self._idle.pop().send(self.request)
        else:
            self.unsent += 1

    def _on_end(self, connection: Connection, status: int, ms: float) -> None:
        now = time.perf_counter() - self.began
        self.ended.append((now - ms / 1000, status, ms))
        if not connection.transport.is_closing():
            self._idle.append(connection)


def post(path: str, picture: bytes) -> bytes:
    """The bytes of a request."""
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: image/jpeg\r\n"
    return f"{head}Content-Length: {len(picture)}\r\n\r\n".encode() + picture


async def main(port: int, rate: float, seconds: float, connections: int) -> None:
    """Run once, and write what became of the requests."""
    generator = Generator(port, post("/v1/infer", photograph()), connections)
    await generator.open()
    await generator.run(rate, seconds)
    found = {"began": generator.began, "unsent": generator.unsent}
    found["unanswered"] = generator.unanswered
    json.dump({**found, "ended": sorted(generator.ended)}, sys.stdout)


if __name__ == "__main__":
    given = sys.argv[1:]
    asyncio.run(main(int(given[0]), float(given[1]), float(given[2]), int(given[3])))
