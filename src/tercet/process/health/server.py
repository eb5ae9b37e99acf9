"""The health server: it runs in a thread of its own, so it can detect a blocked event loop."""

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

LOOP_TIMEOUT_S = 1.0
"""Seconds within which the event loop must run a callback."""
REQUEST_TIMEOUT_S = 5.0
"""Seconds a client may take to send its request."""


class Connection(Protocol):
    """What readiness depends on: `tercet.messaging.bus.Bus`."""

    ready: bool

    @property
    def disconnected(self) -> bool:
        """Whether the broker cannot be reached right now."""


class Health:
    """The state of one process; called from other threads, so it only reads."""

    def __init__(self, loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
        self._loop, self._stop = loop, stop
        self.bus: Connection | None = None
        """None before the connection is made."""
        metrics.READY.set_function(lambda: float(self.not_ready_reason() == ""))

    def not_ready_reason(self) -> str:
        """Return why the service is not ready; empty when it is."""
        if self.bus is None or self.bus.disconnected:
            return "not connected to the bus"
        if self._stop.is_set():
            return "stopping"
        return "" if self.bus.ready else "not ready"

    def alive(self) -> bool:
        """Whether the event loop runs; to be called from another thread."""
        ran = threading.Event()
        try:
            self._loop.call_soon_threadsafe(ran.set)
        except RuntimeError:  # It is closed.
            return False
        return ran.wait(LOOP_TIMEOUT_S)

    def answer(self, path: str) -> tuple[int, str, bytes]:
        """Return HTTP status, content type and body for a path."""
        plain = "text/plain; charset=utf-8"
        if path == "/metrics":
            return 200, CONTENT_TYPE_LATEST, generate_latest()
        if path == "/healthz":
            return (
                (200, plain, b"ok\n")
                if self.alive()
                else (503, plain, b"the event loop is blocked\n")
            )
        if path == "/readyz":
            reason = self.not_ready_reason()
            return (503 if reason else 200), plain, f"{reason or 'ready'}\n".encode()
        return 404, plain, b"try /healthz, /readyz or /metrics\n"


@contextmanager
def serving(health: Health, settings: BusSettings) -> Iterator[int]:
    """Serve while inside, if a port is set; yield the port, 0 for none.

    Raises Misconfigured when the port cannot be opened.
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
        timeout = REQUEST_TIMEOUT_S
        server_version, sys_version = "tercet", ""

        def do_GET(self) -> None:
            status, kind, body = health.answer(self.path.partition("?")[0])
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Log nothing: probes come every few seconds."""

    return Handler
