"""The web server of a gateway: uvicorn inside the service, with TLS where it is set."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from tercet.process.errors import Misconfigured
from tercet.process.web_server import LISTEN_BACKLOG, SHUTDOWN_TIMEOUT_S, Server
from tercet.services.gateway.http.connections import limited
from tercet.services.gateway.http.limits import Limits

# Its warnings are about what clients send; a defect of ours is an error.
logging.getLogger("uvicorn.error").setLevel(logging.ERROR)


def server(
    application: ASGIApp,
    limits: Limits,
    certificate: Path | None = None,
    key: Path | None = None,
) -> Server:
    """Return a server that is not started yet; raises Misconfigured for unusable TLS files."""
    config = uvicorn.Config(
        application,
        http=limited(limits),
        log_config=None,
        access_log=False,
        lifespan="off",
        ws="none",
        server_header=False,
        date_header=False,
        backlog=LISTEN_BACKLOG,
        timeout_keep_alive=round(limits.keep_alive_s),
        timeout_graceful_shutdown=SHUTDOWN_TIMEOUT_S,
        ssl_certfile=certificate,
        ssl_keyfile=key,
    )
    try:
        config.load()
    except (OSError, ssl.SSLError) as error:
        raise Misconfigured(f"TERCET_GATEWAY_TLS_CERTIFICATE, _KEY: {error}") from error
    return Server(config)


async def serve(serving: Server, sock: socket.socket, stop: asyncio.Event) -> None:
    """Serve until `stop`; then wait up to SHUTDOWN_TIMEOUT_S for the answers in progress."""

    async def shut_down() -> None:
        await stop.wait()
        serving.should_exit = True

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(shut_down())
        tasks.create_task(serving.serve(sockets=[sock]))
