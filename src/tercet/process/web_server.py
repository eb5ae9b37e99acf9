"""A web server inside a service: its socket, and uvicorn without signal handlers of its own.

Needs the extra of a service that serves HTTP (dashboard, gateway).
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

import uvicorn

from tercet.process.errors import Misconfigured

UNACKNOWLEDGED_TIMEOUT_MS = 15_000
"""Milliseconds after which the kernel drops a peer that acknowledges no data."""
SEND_BUFFER_BYTES = 64 * 1024
"""Send buffer of one connection (the kernel doubles it); bounds the memory of a slow peer."""
LISTEN_BACKLOG = 128
"""Connections that the kernel holds before they are accepted."""
SHUTDOWN_TIMEOUT_S = 2
"""Seconds for responses in progress to end when the service stops."""


class Server(uvicorn.Server):
    """uvicorn without its signal handlers; `tercet.messaging.service_runner` installs its own."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Install no handler."""
        yield


def listener(host: str, port: int, setting: str) -> socket.socket:
    """Return a listening socket; raises Misconfigured if the address is invalid or in use.

    `setting` is what the names of the two settings begin with, such as `TERCET_DASHBOARD`.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        family, kind, protocol, _, place = found[0]
        sock = socket.socket(family, kind, protocol)
    except OSError as error:
        raise Misconfigured(f"{setting}_HOST: {host}: {error.strerror}") from error
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNACKNOWLEDGED_TIMEOUT_MS)
    try:
        sock.bind(place)
        sock.listen(LISTEN_BACKLOG)
    except OSError as error:
        sock.close()
        raise Misconfigured(f"{setting}_PORT: {host}:{port}: {error.strerror}") from error
    sock.setblocking(False)
    return sock


def address(sock: socket.socket, scheme: str = "http") -> str:
    """Return the URL of a listening socket."""
    host, port = sock.getsockname()[:2]
    return f"{scheme}://[{host}]:{port}/" if ":" in host else f"{scheme}://{host}:{port}/"
