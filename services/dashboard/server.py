"""A web server inside a service: it stops with the service and installs no signal handlers."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator

import uvicorn
from starlette.types import ASGIApp

from tercet.process.errors import Misconfigured
from tercet.services.dashboard.viewers import Viewers

UNACKNOWLEDGED_TIMEOUT_MS = 15_000
"""Milliseconds after which the kernel drops a peer that acknowledges no data."""
SEND_BUFFER_BYTES = 64 * 1024
"""Send buffer of one connection (the kernel doubles it); bounds the memory of a slow peer."""
LISTEN_BACKLOG = 128
OTHER_CONNECTIONS = 64
"""Connections accepted besides the viewers' streams: files, posts, device details."""
SHUTDOWN_TIMEOUT_S = 2
"""Seconds for responses in progress to end when the service stops."""


class Server(uvicorn.Server):
    """uvicorn without its signal handlers; `tercet.messaging.service_runner` installs its own."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Install no handler."""
        yield


def listener(host: str, port: int) -> socket.socket:
    """Return a listening socket; raises Misconfigured if the address is invalid or in use."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        family, kind, protocol, _, place = found[0]
        sock = socket.socket(family, kind, protocol)
    except OSError as error:
        raise Misconfigured(f"TERCET_DASHBOARD_HOST: {host}: {error.strerror}") from error
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNACKNOWLEDGED_TIMEOUT_MS)
    try:
        sock.bind(place)
        sock.listen(LISTEN_BACKLOG)
    except OSError as error:
        sock.close()
        raise Misconfigured(f"TERCET_DASHBOARD_PORT: {host}:{port}: {error.strerror}") from error
    sock.setblocking(False)
    return sock


def address(sock: socket.socket) -> str:
    """Return the URL of a listening socket."""
    host, port = sock.getsockname()[:2]
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


async def serve(
    application: ASGIApp, sock: socket.socket, viewers: Viewers, stop: asyncio.Event
) -> None:
    """Serve until `stop`; then end all streams and wait up to SHUTDOWN_TIMEOUT_S for the rest."""
    server = Server(
        uvicorn.Config(
            application,
            log_config=None,
            access_log=False,
            lifespan="off",
            ws="none",
            server_header=False,
            limit_concurrency=viewers.limit + OTHER_CONNECTIONS,
            timeout_graceful_shutdown=SHUTDOWN_TIMEOUT_S,
        )
    )

    async def shut_down() -> None:
        await stop.wait()
        viewers.close()
        server.should_exit = True

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(shut_down())
        tasks.create_task(server.serve(sockets=[sock]))
