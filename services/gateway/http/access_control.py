"""Who may ask: tokens, and pages of other sites.

A page of another site can make a browser send requests to this gateway. `Origin` identifies such a
request, and a browser always sends it with a POST; programs do not send it.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from starlette.datastructures import Headers, QueryParams
from starlette.types import ASGIApp, Receive, Scope, Send

from tercet.process import log
from tercet.process.errors import Misconfigured
from tercet.schemas import clock
from tercet.services.gateway.http.refusal import (
    DEEPSTACK_PREFIX,
    Refused,
    refusal_response,
)

OPEN_PATHS = ("/v2/health/live", "/v2/health/ready")
"""Answered without a token: what watches over this gateway has none."""

_log = log.get(__name__)


class Tokens:
    """The tokens that are accepted, from a setting and from a file.

    The file has one token a line, with the time at which it expires after a space if it does
    (ISO 8601); `#` begins a comment. It is read again when it has changed: to withdraw a token,
    remove its line.
    """

    def __init__(self, token: str | None = None, file: Path | None = None) -> None:
        """Raise Misconfigured when the file cannot be read or is malformed."""
        self._fixed = [_digest(token)] if token else []
        self._file, self._version = file, (0, 0, 0)
        self._listed: dict[bytes, datetime | None] = {}
        try:
            self._read_again()
        except (OSError, ValueError) as error:
            raise Misconfigured(f"TERCET_GATEWAY_TOKEN_FILE: {file}: {error}") from error

    @property
    def required(self) -> bool:
        """Whether a request needs a token at all."""
        return bool(self._fixed) or self._file is not None

    def check(self, given: str | None) -> None:
        """Raise Refused with 401 unless this token is accepted now."""
        if not self.required:
            return
        if not given:
            raise Refused(401, "a token is needed: Authorization: Bearer, or api_key")
        try:
            self._read_again()
        except (OSError, ValueError) as error:
            self._listed = {}
            _log.error("token file cannot be read", reason=str(error))
        digest, accepted, expired = _digest(given), False, False
        for known in self._fixed:
            accepted |= hmac.compare_digest(known, digest)
        for known, until in self._listed.items():  # All of them: the time shows nothing.
            same = hmac.compare_digest(known, digest)
            over = until is not None and until <= clock.now()
            accepted, expired = accepted | (same and not over), expired | (same and over)
        if not accepted:
            raise Refused(401, "the token has expired" if expired else "the token is not known")

    def _read_again(self) -> None:
        if self._file is None:
            return
        found = self._file.stat()
        version = (found.st_mtime_ns, found.st_size, found.st_ino)
        if version != self._version:
            self._listed = _parsed(self._file.read_text(encoding="utf-8"))
            self._version = version


def _digest(token: str) -> bytes:
    """A hash, so that tokens of any length are compared in the same time."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()


def _parsed(text: str) -> dict[bytes, datetime | None]:
    """Token digest to the time at which it expires; ValueError, which names the line."""
    tokens: dict[bytes, datetime | None] = {}
    for number, line in enumerate(text.splitlines(), 1):
        token, _, until = line.partition("#")[0].strip().partition(" ")
        if not token:
            continue
        try:
            when = datetime.fromisoformat(until.strip()) if until.strip() else None
        except ValueError:
            raise ValueError(f"line {number}: {until.strip()!r} is no time") from None
        tokens[_digest(token)] = when.astimezone(UTC) if when else None
    return tokens


def given_token(headers: Headers, query: QueryParams) -> str | None:
    """The token of a request: a bearer, or `api_key` in its query."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return token.strip()
    return query.get("api_key")


class AccessControl:
    """ASGI middleware: refuses requests of foreign pages, and those without an accepted token.

    On the DeepStack routes the token may be a field of the form, which the route checks.
    """

    def __init__(self, app: ASGIApp, tokens: Tokens, origins: Iterable[str]) -> None:
        self._app, self._tokens, self._origins = app, tokens, frozenset(origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse the request, or pass it on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            headers, query = Headers(scope=scope), QueryParams(scope["query_string"])
            self._check_origin(headers.get("origin"))
            given = given_token(headers, query)
            if scope["path"] not in OPEN_PATHS and (
                given is not None or not scope["path"].startswith(DEEPSTACK_PREFIX)
            ):
                self._tokens.check(given)
        except Refused as refused:
            await refusal_response(scope["path"], refused)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _check_origin(self, origin: str | None) -> None:
        if origin is not None and not self._origins & {origin, "*"}:
            raise Refused(403, "Origin: a page of another site (TERCET_GATEWAY_CORS)")
