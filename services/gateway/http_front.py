"""The HTTP front of one gateway, made of its settings: socket, limits, tokens, server."""

from __future__ import annotations

import asyncio

from tercet.process import log
from tercet.process.web_server import address, listener
from tercet.services.gateway.application import Infer, Room
from tercet.services.gateway.http.access_control import Tokens
from tercet.services.gateway.http.families import Families
from tercet.services.gateway.http.limits import Limits
from tercet.services.gateway.http.server import serve, server
from tercet.services.gateway.http.web_application import web_application
from tercet.services.gateway.settings import GatewaySettings

_log = log.get(__name__)


class HttpFront:
    """Listens as soon as it is made, and answers while `serve` runs."""

    def __init__(
        self, settings: GatewaySettings, infer: Infer, families: Families, room: Room
    ) -> None:
        """Raise Misconfigured for a port that is taken, or an unusable token or TLS file."""
        limits = Limits(
            in_progress=settings.requests,
            deadline_ms=settings.gateway_deadline_ms,
            deepstack_deadline_ms=settings.gateway_deepstack_deadline_ms,
        )
        token = settings.gateway_token.get_secret_value() if settings.gateway_token else None
        self._tokens = Tokens(token, settings.gateway_token_file)
        application = web_application(
            infer,
            families,
            room=room,
            tokens=self._tokens,
            origins=settings.gateway_cors,
            limits=limits,
        )
        certificate, key = settings.gateway_tls_certificate, settings.gateway_tls_key
        self._server = server(application, limits, certificate, key)
        self._socket = listener(settings.gateway_host, settings.gateway_port, "TERCET_GATEWAY")
        self.url = address(self._socket, "https" if certificate else "http")

    async def serve(self, stop: asyncio.Event) -> None:
        """Answer applications until `stop`."""
        _log.info("listening", url=self.url, token_needed=self._tokens.required)
        await serve(self._server, self._socket, stop)
