"""What stands before every request: who may ask, and what a browser may do with the answer.

A page on another site can make a browser ask us; it is recognised by its `Origin`, and a name of
its own that it points at us by `Host`. We grant no cross-origin access, so it could not read the
answer either.
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK = ("localhost", "127.0.0.1", "::1")
CHANGING = ("POST", "PUT", "PATCH", "DELETE")

HEADERS = {
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
"""Nothing but our own files; no text ever becomes markup or a script (trusted types)."""


class Guard:
    """ASGI middleware."""

    def __init__(self, app: ASGIApp, hosts: Iterable[str]) -> None:
        self._app = app
        self._hosts = {*LOOPBACK, *(host.lower() for host in hosts)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or pass on and add headers to the answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        refusal = self._refusal(scope["method"], Headers(scope=scope))
        if refusal is None:
            await self._app(scope, receive, send_guarded)
        else:
            answer = PlainTextResponse(f"{refusal[1]}\n", refusal[0])
            await answer(scope, receive, send_guarded)

    def _refusal(self, method: str, headers: Headers) -> tuple[int, str] | None:
        """Status and reason; None for what may pass."""
        host = headers.get("host", "")
        if _name(host) not in self._hosts:
            return 403, "Host: not a name of this dashboard (TERCET_DASHBOARD_HOSTS)"
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
            return 403, "Origin: another site"
        if headers.get("sec-fetch-site", "same-origin") == "cross-site" and method in CHANGING:
            return 403, "Sec-Fetch-Site: another site"
        return None


def _name(host: str) -> str | None:
    """The name in a Host header, without port; None when it is none."""
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None
