"""ASGI middleware: which requests are accepted, and what a browser may do with the response.

A page of another site can make a browser send requests here. `Origin` identifies such a request.
`Host` identifies a foreign DNS name that points at this server (DNS rebinding). No cross-origin
access is granted, so a foreign page cannot read a response.
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK = ("localhost", "127.0.0.1", "::1")
MODIFYING_METHODS = ("POST", "PUT", "PATCH", "DELETE")

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-cache",
}
"""Only files of this server are loaded; text cannot become markup or script (trusted types)."""


class AccessControl:
    """Refuses requests of foreign sites and adds security headers to every response."""

    def __init__(self, app: ASGIApp, hosts: Iterable[str]) -> None:
        self._app = app
        self._hosts = {*LOOPBACK, *(host.lower() for host in hosts)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse the request, or pass it on; add the headers in both cases."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(SECURITY_HEADERS)
            await send(message)

        refusal = self._refusal(scope["method"], Headers(scope=scope))
        if refusal is None:
            await self._app(scope, receive, send_with_headers)
        else:
            response = PlainTextResponse(f"{refusal[1]}\n", refusal[0])
            await response(scope, receive, send_with_headers)

    def _refusal(self, method: str, headers: Headers) -> tuple[int, str] | None:
        """Return status and reason, or None if the request is accepted."""
        host = headers.get("host", "")
        if _hostname(host) not in self._hosts:
            return 403, "Host: not a name of this dashboard (TERCET_DASHBOARD_HOSTS)"
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
            return 403, "Origin: another site"
        if (
            headers.get("sec-fetch-site", "same-origin") == "cross-site"
            and method in MODIFYING_METHODS
        ):
            return 403, "Sec-Fetch-Site: another site"
        return None


def _hostname(host: str) -> str | None:
    """Return the name in a Host header without its port; None if the header is malformed."""
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None
