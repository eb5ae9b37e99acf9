"""One link of a relay: it forwards the connections of one port, outgoing bytes after a delay."""

from __future__ import annotations

import asyncio
import contextlib
import math

from tercet.process import log

CHUNK = 64 * 1024
"""Bytes read at a time."""
MAX_CHUNKS = 256
"""Chunks that may be delayed at once; more stay in the sender's socket."""
CLOSE_TIMEOUT_S = 1.0
"""Seconds for the last bytes of a connection to be sent."""
OFF = "off"

_log = log.get(__name__)

Chunk = tuple[float, bytes]
"""When it is due, on the loop's clock, and its bytes."""


class RelayLink:
    """Delays bytes to the upstream by `delay_ms`; while off, it drops and refuses connections."""

    def __init__(self, upstream: tuple[str, int], delay_ms: float = 0.0) -> None:
        self._upstream = upstream
        self._delay_ms = delay_ms
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self.host, self.port = "", 0
        """Address it listens on."""

    @property
    def state(self) -> float | str:
        """Delay in milliseconds, or "off"."""
        return self._delay_ms if self._server else OFF

    async def set_state(self, value: str) -> None:
        """Set a delay in milliseconds, or "off", at once; raises ValueError, OSError."""
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
        """Accept connections from now on; port 0 is any free one. Raises OSError."""
        self._server = await asyncio.start_server(self._on_connection, host, port)
        self.host, self.port = host, self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Drop every connection and accept no more."""
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
            await self._forward(reader, writer)
        except asyncio.CancelledError:
            pass  # The link was switched off, or the relay ends.
        finally:
            self._connections.discard(task)
            await close_writer(writer)

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Forward both directions until either side closes."""
        try:
            up_reader, up_writer = await asyncio.open_connection(*self._upstream)
        except OSError as error:
            _log.warning("upstream unreachable", host=self._upstream[0], reason=str(error))
            return
        delayed: asyncio.Queue[Chunk] = asyncio.Queue(MAX_CHUNKS)
        try:
            async with asyncio.TaskGroup() as tasks:
                directions = (
                    tasks.create_task(self._read(reader, delayed)),
                    tasks.create_task(_send(delayed, up_writer)),
                    tasks.create_task(_copy(up_reader, writer)),
                )
                await asyncio.wait(directions, return_when=asyncio.FIRST_COMPLETED)
                for direction in directions:
                    direction.cancel()
        finally:
            await close_writer(up_writer)

    async def _read(self, reader: asyncio.StreamReader, delayed: asyncio.Queue[Chunk]) -> None:
        """Queue outgoing bytes with the time they are due, in the order in which they were read."""
        loop, due = asyncio.get_running_loop(), 0.0
        with contextlib.suppress(OSError):
            while chunk := await reader.read(CHUNK):
                due = max(due, loop.time() + self._delay_ms / 1000)
                await delayed.put((due, chunk))
        await delayed.put((due, b""))
        await asyncio.Event().wait()  # Bytes are still queued: `_send` ends the connection.


async def close_writer(writer: asyncio.StreamWriter) -> None:
    """Close a connection; pending bytes get a short time to be sent."""
    writer.close()
    try:
        async with asyncio.timeout(CLOSE_TIMEOUT_S):
            await writer.wait_closed()
    except (OSError, TimeoutError):
        writer.transport.abort()


async def _send(delayed: asyncio.Queue[Chunk], writer: asyncio.StreamWriter) -> None:
    loop = asyncio.get_running_loop()
    with contextlib.suppress(OSError):
        while True:
            due, chunk = await delayed.get()
            if (pause := due - loop.time()) > 0:
                await asyncio.sleep(pause)
            if not chunk:
                return
            writer.write(chunk)
            await writer.drain()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while chunk := await reader.read(CHUNK):
            writer.write(chunk)
            await writer.drain()
