"""One link of a relay: connections to one port are handed on, outgoing bytes after a delay."""

from __future__ import annotations

import asyncio
import contextlib
import math

from tercet.process import log

CHUNK = 64 * 1024
"""Bytes read at a time."""
WAITING = 256
"""Chunks that may wait for their time; more are left in the sender's socket."""
HANG_UP_PATIENCE = 1.0
"""Seconds for the last bytes of a connection to leave."""
OFF = "off"

_log = log.get(__name__)

Chunk = tuple[float, bytes]
"""When it may leave, on the loop's clock, and what."""


class Link:
    """Delays what goes up by `delay_ms`; while off, connections are dropped and refused."""

    def __init__(self, upstream: tuple[str, int], delay_ms: float = 0.0) -> None:
        self._upstream = upstream
        self._delay_ms = delay_ms
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self.host, self.port = "", 0
        """Where it listens."""

    @property
    def state(self) -> float | str:
        """Delay in milliseconds, or "off"."""
        return self._delay_ms if self._server else OFF

    async def become(self, value: str) -> None:
        """Take a new delay in milliseconds, at once, or go "off"; raises ValueError, OSError."""
        if value == OFF:
            await self.close()
            return
        delay_ms = float(value)
        if not 0 <= delay_ms < math.inf:
            raise ValueError(f"{value}: not a delay in milliseconds")
        self._delay_ms = delay_ms
        if self._server is None:
            await self.listen(self.host, self.port)

    async def listen(self, host: str, port: int) -> None:
        """Take connections from now on; port 0 is any free one. Raises OSError."""
        self._server = await asyncio.start_server(self._on_connection, host, port)
        self.host, self.port = host, self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Drop every connection and take no more."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _on_connection(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        task = asyncio.current_task()
        assert task is not None, "the server runs each connection in a task of its own"
        self._connections.add(task)
        try:
            await self._hand_on(reader, writer)
        except asyncio.CancelledError:
            pass  # The link went off, or the relay ends.
        finally:
            self._connections.discard(task)
            await hang_up(writer)

    async def _hand_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Until either side hangs up."""
        try:
            up_reader, up_writer = await asyncio.open_connection(*self._upstream)
        except OSError as error:
            _log.warning("upstream away", host=self._upstream[0], reason=str(error))
            return
        waiting: asyncio.Queue[Chunk] = asyncio.Queue(WAITING)
        try:
            async with asyncio.TaskGroup() as tasks:
                ways = (
                    tasks.create_task(self._take(reader, waiting)),
                    tasks.create_task(_send(waiting, up_writer)),
                    tasks.create_task(_back(up_reader, writer)),
                )
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
                for way in ways:
                    way.cancel()
        finally:
            await hang_up(up_writer)

    async def _take(self, reader: asyncio.StreamReader, waiting: asyncio.Queue[Chunk]) -> None:
        """Read what goes up and say when it may leave; never before what was read earlier."""
        loop, due = asyncio.get_running_loop(), 0.0
        with contextlib.suppress(OSError):
            while chunk := await reader.read(CHUNK):
                due = max(due, loop.time() + self._delay_ms / 1000)
                await waiting.put((due, chunk))
        await waiting.put((due, b""))
        await asyncio.Event().wait()  # What was read is still to be sent; `_send` ends the link.


async def hang_up(writer: asyncio.StreamWriter) -> None:
    """Close; what was written has a moment to leave."""
    writer.close()
    try:
        async with asyncio.timeout(HANG_UP_PATIENCE):
            await writer.wait_closed()
    except (OSError, TimeoutError):
        writer.transport.abort()


async def _send(waiting: asyncio.Queue[Chunk], writer: asyncio.StreamWriter) -> None:
    loop = asyncio.get_running_loop()
    with contextlib.suppress(OSError):
        while True:
            due, chunk = await waiting.get()
            if (pause := due - loop.time()) > 0:
                await asyncio.sleep(pause)
            if not chunk:
                return
            writer.write(chunk)
            await writer.drain()


async def _back(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while chunk := await reader.read(CHUNK):
            writer.write(chunk)
            await writer.drain()
