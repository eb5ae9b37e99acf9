"""Server-sent events to one page, written no faster than it reads."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from typing import Any

from starlette.responses import StreamingResponse
from starlette.types import Message, Send


def event(name: str, number: int, content: Any) -> bytes:
    """One event as bytes; `content` must be such as JSON can say, else ValueError."""
    body = json.dumps(content, separators=(",", ":"), allow_nan=False)
    return f"event: {name}\nid: {number}\ndata: {body}\n\n".encode()


class EventStream(StreamingResponse):
    """Ends when its chunks do, when the page closes, or when nobody reads for too long."""

    def __init__(self, chunks: AsyncGenerator[bytes], patience: float) -> None:
        """`patience`: seconds for which one chunk may wait to be taken."""
        super().__init__(chunks, media_type="text/event-stream")
        self._chunks, self._patience = chunks, patience

    async def stream_response(self, send: Send) -> None:
        """Write until the end; a viewer that does not read is left."""

        async def send_patiently(message: Message) -> None:
            async with asyncio.timeout(self._patience):
                await send(message)

        async with aclosing(self._chunks):
            with suppress(TimeoutError):
                await super().stream_response(send_patiently)
