"""A bare web server, with which the time of a request over HTTP is compared.

`python -m benchmarks.bare_post PORT` reads the body of each request and answers with 512 bytes.
"""

from __future__ import annotations

import sys

import uvicorn
from starlette.types import Receive, Scope, Send

ANSWER = b"x" * 512


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """Read the body, and answer."""
    while (await receive()).get("more_body", False):
        pass
    headers = [(b"content-length", str(len(ANSWER)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": ANSWER})


if __name__ == "__main__":
    uvicorn.run(
        application,
        port=int(sys.argv[1]),
        http="h11",
        loop="asyncio",
        lifespan="off",
        ws="none",
        log_level="error",
    )
