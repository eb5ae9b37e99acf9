"""The dashboard's web server: it stops with the service and ends the open event streams."""

from __future__ import annotations

import asyncio
import socket

import uvicorn
from starlette.types import ASGIApp

from tercet.process.web_server import SHUTDOWN_TIMEOUT_S, Server
from tercet.services.dashboard.viewers import Viewers

OTHER_CONNECTIONS = 64
"""Connections accepted besides the viewers' streams: files, posts, device details."""


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
