"""A sign of life from the event loop, in systemd's words: who hangs is replaced (sd_notify(3)).

A supervisor that sets NOTIFY_SOCKET and WATCHDOG_USEC (ours, or systemd with `WatchdogSec=`) hears
`WATCHDOG=1` four times in that interval, for as long as the loop turns.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

BEATS = 4
"""Signs of life in each interval."""


@asynccontextmanager
async def beating(environment: Mapping[str, str] = os.environ) -> AsyncIterator[None]:
    """Give signs of life while inside, if anyone asked for them."""
    path, interval = environment.get("NOTIFY_SOCKET", ""), environment.get("WATCHDOG_USEC", "")
    if not path or not interval.isdigit() or int(interval) == 0:
        yield
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
        out.setblocking(False)
        address = "\0" + path[1:] if path.startswith("@") else path
        beat = asyncio.create_task(_beat(out, address, int(interval) / 1e6 / BEATS))
        try:
            yield
        finally:
            beat.cancel()


async def _beat(out: socket.socket, address: str, period: float) -> None:
    word = f"WATCHDOG=1\nMAINPID={os.getpid()}".encode()
    while True:
        with contextlib.suppress(OSError):  # Nobody listens, or its ears are full.
            out.sendto(word, address)
        await asyncio.sleep(period)


class Pulse(asyncio.DatagramProtocol):
    """The other end: who gives signs of life."""

    def __init__(self) -> None:
        self.name = ""
        """Its address, as NOTIFY_SOCKET has it; empty where there are no such sockets."""
        self._beats: dict[int, int] = {}
        self._transport: asyncio.DatagramTransport | None = None

    async def listen(self) -> None:
        """Hear signs of life from now on (Linux: its sockets need no file)."""
        self.name = f"@tercet-{os.getpid()}-{os.urandom(4).hex()}"
        ear = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            ear.bind("\0" + self.name[1:])
        except OSError:
            ear.close()
            self.name = ""
            return
        ear.setblocking(False)
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, sock=ear)

    def datagram_received(self, data: bytes, addr: object) -> None:
        """Note who beats."""
        words = dict(line.partition("=")[::2] for line in data.decode("ascii", "replace").split())
        if words.get("WATCHDOG") == "1" and words.get("MAINPID", "").isdigit():
            pid = int(words["MAINPID"])
            self._beats[pid] = self._beats.get(pid, 0) + 1

    def heard(self, pid: int) -> int:
        """How many signs of life a process has given; 0 for one that gives none."""
        return self._beats.get(pid, 0)

    def forget(self, pid: int) -> None:
        """A process has ended."""
        self._beats.pop(pid, None)

    def close(self) -> None:
        """Hear no more."""
        if self._transport is not None:
            self._transport.close()
