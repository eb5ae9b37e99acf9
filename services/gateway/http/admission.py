"""What is received at once: requests in progress, their bodies' size and memory, and their time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tercet.services.gateway.application import AlwaysRoom, Room
from tercet.services.gateway.http.limits import Limits
from tercet.services.gateway.http.refusal import Refused, refusal_response

RETRY_AFTER_S = 1.0
METHODS_WITH_BODY = ("POST", "PUT", "PATCH", "DELETE")


class Admission:
    """Counts requests and bytes against the limits; one object per gateway."""

    def __init__(self, limits: Limits, room: Room | None = None) -> None:
        self.limits, self._room = limits, room or AlwaysRoom()
        self.in_progress = 0
        """Requests that are answered now."""
        self.memory_bytes = 0
        """Bytes of their bodies, and of those that are received."""

    def check(self) -> None:
        """Raise Refused with 503 when as many requests are in progress as may be."""
        if self.in_progress >= self.limits.in_progress:
            self._room.refused()
            reason = f"{self.in_progress} requests are in progress"
            raise Refused(503, reason, RETRY_AFTER_S)

    def check_room(self) -> None:
        """Raise Refused with 503 when a request would not be answered anyhow."""
        self.check()
        if (full := self._room.full()) is not None:
            raise Refused(503, full.reason, full.retry_after_s)

    @contextmanager
    def admitted(self) -> Iterator[None]:
        """Count a request while inside; raises Refused."""
        self.check()
        self.in_progress += 1
        try:
            yield
        finally:
            self.in_progress -= 1

    def reserve(self, size: int) -> None:
        """Count `size` bytes of a body; raises Refused with 503."""
        if self.memory_bytes + size > self.limits.memory_bytes:
            self._room.refused()
            reason = "the bodies of other requests fill the memory for them"
            raise Refused(503, reason, RETRY_AFTER_S)
        self.memory_bytes += size


class BoundedBodies:
    """ASGI middleware: bounds the size of a body and the time in which it must arrive."""

    def __init__(self, app: ASGIApp, admission: Admission) -> None:
        self._app, self._admission = app, admission

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with a bounded body, or refuse it before its body was read."""
        if scope["type"] != "http" or scope["method"] not in METHODS_WITH_BODY:
            await self._app(scope, receive, send)
            return
        try:
            self._admission.check_room()
            self._check_length(Headers(scope=scope).get("content-length", "0"))
        except Refused as refused:
            await refusal_response(scope["path"], refused)(scope, receive, send)
            return
        body = _Body(receive, self._admission)
        try:
            await self._app(scope, body.receive, send)
        finally:
            self._admission.memory_bytes -= body.size

    def _check_length(self, text: str) -> None:
        if text.isdigit() and int(text[:20]) > self._admission.limits.body_bytes:
            raise _too_large(self._admission.limits)


class _Body:
    """The body of one request, while it is received."""

    def __init__(self, receive: Receive, admission: Admission) -> None:
        self._receive, self._admission = receive, admission
        self._until = asyncio.get_running_loop().time() + admission.limits.body_timeout_s
        self._complete = False
        self.size = 0
        """Bytes received so far."""

    async def receive(self) -> Message:
        """Return the next part of the body; raises Refused."""
        if self._complete:
            return await self._receive()
        try:
            async with asyncio.timeout_at(self._until):
                message = await self._receive()
        except TimeoutError:
            limit_s = self._admission.limits.body_timeout_s
            raise Refused(408, f"the body did not arrive within {limit_s:g} s") from None
        size = len(message.get("body", b""))
        if self.size + size > self._admission.limits.body_bytes:
            raise _too_large(self._admission.limits)
        self._admission.reserve(size)
        self.size += size
        self._complete = not message.get("more_body", False)
        return message


def _too_large(limits: Limits) -> Refused:
    return Refused(413, f"the body is larger than {limits.body_bytes} bytes")
