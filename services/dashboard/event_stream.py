"""Server-sent events to one page, written no faster than the page reads."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from typing import Any

from starlette.responses import StreamingResponse
from starlette.types import Message, Send


def encode_event(name: str, number: int, content: Any) -> bytes:
    """Encode one event; raises ValueError if `content` is not representable in JSON."""
    body = json.dumps(content, separators=(",", ":"), allow_nan=False)
    return f"event: {name}\nid: {number}\ndata: {body}\n\n".encode()


class EventStream(StreamingResponse):
    """Ends when its chunks end, when the page closes, or when a write times out."""

    def __init__(self, chunks: AsyncGenerator[bytes], write_timeout_s: float) -> None:
        """`write_timeout_s`: seconds that the client may take to accept one chunk."""
        super().__init__(chunks, media_type="text/event-stream")
        self._chunks, self._write_timeout_s = chunks, write_timeout_s

    async def stream_response(self, send: Send) -> None:
        """Write until the end; a client that does not read is disconnected."""

        async def send_with_timeout(message: Message) -> None:
            async with asyncio.timeout(self._write_timeout_s):
                await send(message)

        async with aclosing(self._chunks):
            with suppress(TimeoutError):
                await super().stream_response(send_with_timeout)
