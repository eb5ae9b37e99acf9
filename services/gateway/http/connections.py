"""Connections of the gateway: bounded in number, and closed when their client is too slow.

uvicorn bounds neither the time in which a request's headers must arrive nor the number of open
connections; ten thousand slow clients would leave none for others.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

from tercet.services.gateway.http.limits import Limits


def _closing(status: str, reason: str, extra: str = "") -> bytes:
    body = f'{{"error":"{reason}"}}'
    return (
        f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n{extra}"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}"
    ).encode()


FULL = _closing("503 Service Unavailable", "too many connections", "Retry-After: 1\r\n")
TOO_SLOW = _closing("408 Request Timeout", "the request did not arrive in time")


class BoundedConnection(H11Protocol):
    """One connection; `limited` binds the limits."""

    limits = Limits()

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._waits_since = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._received = False
        """Whether anything of the next request has arrived."""
        self._after_response = 0
        """Bytes that have arrived since the last response."""

    @property
    def waits_for_client(self) -> bool:
        """Whether the next step is the client's: a request has not arrived completely."""
        cycle = self.cycle
        return cycle is None or cycle.response_complete or cycle.more_body

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Accept a connection; where there are too many, close the one that waits longest."""
        super().connection_made(transport)
        self._begin_waiting()
        if len(self.connections) > self.limits.connections:
            self._make_room()

    def _make_room(self) -> None:
        """Close the connection that waits longest for its client; without any, this one."""
        # Those that are being closed are among them until the loop has got round to it.
        others = [
            other
            for other in self.connections
            if isinstance(other, BoundedConnection) and not other.transport.is_closing()
        ]
        if len(others) <= self.limits.connections:
            return
        waiting = [other for other in others if other is not self and other.waits_for_client]
        if waiting:
            min(waiting, key=lambda other: other._waits_since).end(FULL)
        else:
            self.end(FULL)

    def data_received(self, data: bytes) -> None:
        """Pass on what has arrived.

        The rest of a body is read after a refusal, too: a connection that is closed before would
        lose the response. A client that goes on beyond what a body may have is cut off.
        """
        self._received = True
        if self.cycle is not None and self.cycle.response_complete and self.cycle.more_body:
            self._after_response += len(data)
            if self._after_response > self.limits.body_bytes:
                self.transport.close()
                return
        super().data_received(data)

    def on_response_complete(self) -> None:
        """Begin to wait for the next request."""
        self._received, self._after_response = False, 0
        self._begin_waiting()
        super().on_response_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        if self._timer is not None:
            self._timer.cancel()
        super().connection_lost(exc)

    def end(self, response: bytes) -> None:
        """Close the connection, with a response where the client can expect one."""
        unanswered = self.cycle is None or self.cycle.response_complete
        if unanswered and not self.transport.is_closing():
            self.transport.write(response)
        self.transport.close()

    def _begin_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._waits_since = self.loop.time()
        self._timer = self.loop.call_later(self.limits.receive_timeout_s, self._on_timeout)

    def _on_timeout(self) -> None:
        if self.waits_for_client and not self.transport.is_closing():
            self.end(TOO_SLOW if self._received else b"")


def limited(limits: Limits) -> type[BoundedConnection]:
    """The class of connections with these limits."""
    return type("LimitedConnection", (BoundedConnection,), {"limits": limits})
