"""A web server inside a service: it stops when the service does, and leaves signals alone."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator

import uvicorn
from starlette.types import ASGIApp

from tercet.process.errors import Misconfigured
from tercet.services.dashboard.viewers import Viewers

UNREAD = 15_000
"""Milliseconds after which the kernel drops a peer that takes nothing of what we sent."""
UNSENT = 64 * 1024
"""Bytes that the kernel holds for one peer (it doubles them): a slow one costs no more."""
BACKLOG = 128
SPARE = 64
"""Connections beside the viewers' streams: files, posts, details."""
GRACE = 2
"""Seconds for answers to end when the service stops."""


class Server(uvicorn.Server):
    """uvicorn without its signal handlers: `tercet.messaging.app` has its own."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take no signal."""
        yield


def listener(host: str, port: int) -> socket.socket:
    """Listen; raises Misconfigured when the address is wrong or taken."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        family, kind, protocol, _, place = found[0]
        sock = socket.socket(family, kind, protocol)
    except OSError as error:
        raise Misconfigured(f"TERCET_DASHBOARD_HOST: {host}: {error.strerror}") from error
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, UNSENT)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNREAD)
    try:
        sock.bind(place)
        sock.listen(BACKLOG)
    except OSError as error:
        sock.close()
        raise Misconfigured(f"TERCET_DASHBOARD_PORT: {host}:{port}: {error.strerror}") from error
    sock.setblocking(False)
    return sock


def address(sock: socket.socket) -> str:
    """The URL under which it listens."""
    host, port = sock.getsockname()[:2]
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


async def serve(
    application: ASGIApp, sock: socket.socket, viewers: Viewers, stop: asyncio.Event
) -> None:
    """Serve until `stop`; then end all streams, and give other answers a moment."""
    server = Server(
        uvicorn.Config(
            application,
            log_config=None,
            access_log=False,
            lifespan="off",
            ws="none",
            server_header=False,
            limit_concurrency=viewers.most + SPARE,
            timeout_graceful_shutdown=GRACE,
        )
    )

    async def end() -> None:
        await stop.wait()
        viewers.dismiss()
        server.should_exit = True

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(end())
        tasks.create_task(server.serve(sockets=[sock]))
