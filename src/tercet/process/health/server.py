"""The server: a thread of its own, so that it can tell whether the loop still turns."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Protocol

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from tercet.process import metrics
from tercet.process.errors import Misconfigured
from tercet.process.settings import BusSettings

RESPONSIVE = 1.0
"""Seconds within which the loop must turn."""
PATIENCE = 5.0
"""Seconds a client may take to say what it wants."""


class Connection(Protocol):
    """What readiness depends on: `tercet.messaging.bus.Bus`."""

    ready: bool

    @property
    def disconnected(self) -> bool:
        """Whether the broker cannot be reached right now."""


class Health:
    """What a process knows of itself; asked from threads, so it only reads."""

    def __init__(self, loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
        self._loop, self._stop = loop, stop
        self.bus: Connection | None = None
        """Once there is a connection."""
        metrics.READY.set_function(lambda: float(self.unready() == ""))

    def unready(self) -> str:
        """Why the service is not ready, in words; empty when it is."""
        if self.bus is None or self.bus.disconnected:
            return "not connected to the bus"
        if self._stop.is_set():
            return "told to stop"
        return "" if self.bus.ready else "not ready"

    def alive(self) -> bool:
        """Whether the loop turns; to be asked from another thread."""
        turned = threading.Event()
        try:
            self._loop.call_soon_threadsafe(turned.set)
        except RuntimeError:  # It is closed.
            return False
        return turned.wait(RESPONSIVE)

    def answer(self, path: str) -> tuple[int, str, bytes]:
        """HTTP status, content type and body for a path."""
        plain = "text/plain; charset=utf-8"
        if path == "/metrics":
            return 200, CONTENT_TYPE_LATEST, generate_latest()
        if path == "/healthz":
            return (200, plain, b"ok\n") if self.alive() else (503, plain, b"the loop is stuck\n")
        if path == "/readyz":
            reason = self.unready()
            return (503 if reason else 200), plain, f"{reason or 'ready'}\n".encode()
        return 404, plain, b"try /healthz, /readyz or /metrics\n"


@contextmanager
def serving(health: Health, settings: BusSettings) -> Iterator[int]:
    """Serve while inside, if a port is set; yield the port, 0 for none.

    Raises Misconfigured when the port cannot be had.
    """
    if settings.health_port is None:
        yield 0
        return
    address = (settings.health_bind, settings.health_port)
    try:
        server = ThreadingHTTPServer(address, _handler(health))
    except OSError as error:
        where = f"{settings.health_bind}:{settings.health_port}"
        raise Misconfigured(f"TERCET_HEALTH_PORT: {where}: {error.strerror}") from error
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, name="health", daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


def _handler(health: Health) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = PATIENCE
        server_version, sys_version = "tercet", ""

        def do_GET(self) -> None:
            status, kind, body = health.answer(self.path.partition("?")[0])
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Probes come every few seconds; they are no events."""

    return Handler
