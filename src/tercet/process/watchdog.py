"""Watchdog notifications of the event loop, in systemd's protocol (sd_notify(3)), both ends.

A supervisor sets NOTIFY_SOCKET and WATCHDOG_USEC: ours, or systemd with `WatchdogSec=`. The
process then sends `WATCHDOG=1` four times per interval while its event loop runs. A process that
stops sending hangs, and is replaced.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

PER_INTERVAL = 4
"""Notifications in each watchdog interval."""


@asynccontextmanager
async def notifying_watchdog(environment: Mapping[str, str] = os.environ) -> AsyncIterator[None]:
    """Send watchdog notifications while inside, if `environment` asks for them."""
    path, interval = environment.get("NOTIFY_SOCKET", ""), environment.get("WATCHDOG_USEC", "")
    if not path or not interval.isdigit() or int(interval) == 0:
        yield
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
        out.setblocking(False)
        address = "\0" + path[1:] if path.startswith("@") else path
        task = asyncio.create_task(_notify(out, address, int(interval) / 1e6 / PER_INTERVAL))
        try:
            yield
        finally:
            task.cancel()


async def _notify(out: socket.socket, address: str, period: float) -> None:
    notification = f"WATCHDOG=1\nMAINPID={os.getpid()}".encode()
    while True:
        with contextlib.suppress(OSError):  # No receiver, or its buffer is full.
            out.sendto(notification, address)
        await asyncio.sleep(period)


class WatchdogListener(asyncio.DatagramProtocol):
    """The supervisor's end: counts the notifications of each process."""

    def __init__(self) -> None:
        self.address = ""
        """Value for NOTIFY_SOCKET; empty where abstract sockets are not available."""
        self._counts: dict[int, int] = {}
        self._transport: asyncio.DatagramTransport | None = None

    async def listen(self) -> None:
        """Receive notifications from now on (Linux: an abstract socket needs no file)."""
        self.address = f"@tercet-{os.getpid()}-{os.urandom(4).hex()}"
        receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            receiver.bind("\0" + self.address[1:])
        except OSError:
            receiver.close()
            self.address = ""
            return
        receiver.setblocking(False)
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, sock=receiver)

    def datagram_received(self, data: bytes, addr: object) -> None:
        """Count one notification."""
        pairs = dict(line.partition("=")[::2] for line in data.decode("ascii", "replace").split())
        if pairs.get("WATCHDOG") == "1" and pairs.get("MAINPID", "").isdigit():
            pid = int(pairs["MAINPID"])
            self._counts[pid] = self._counts.get(pid, 0) + 1

    def count(self, pid: int) -> int:
        """Return the number of notifications of a process; 0 for one that sends none."""
        return self._counts.get(pid, 0)

    def forget(self, pid: int) -> None:
        """Drop the count of a process that has exited."""
        self._counts.pop(pid, None)

    def close(self) -> None:
        """Stop receiving."""
        if self._transport is not None:
            self._transport.close()
