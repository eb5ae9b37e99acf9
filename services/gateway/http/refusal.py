"""A request that is refused: an HTTP status and one line, in the format of its route."""

from __future__ import annotations

import math
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

MAX_REASON = 300
"""Characters of a reason; it may quote what the client sent."""
DEEPSTACK_PREFIX = "/v1/vision/"


class Refused(Exception):
    """A request that gets no labels."""

    def __init__(self, status: int, reason: str, retry_after_s: float | None = None) -> None:
        super().__init__(reason)
        self.status, self.reason, self.retry_after_s = status, reason, retry_after_s


def one_line(text: str) -> str:
    """Return printable text without line breaks, clipped to MAX_REASON characters."""
    printable = "".join(c if c.isprintable() else " " for c in text[: 2 * MAX_REASON])
    return " ".join(printable.split())[:MAX_REASON]


def refusal_response(path: str, refused: Refused) -> Response:
    """The response to a refused request, as clients of that path expect errors."""
    reason = one_line(refused.reason) or HTTPStatus(refused.status).phrase
    headers = {}
    if refused.retry_after_s is not None:
        headers["Retry-After"] = str(max(math.ceil(refused.retry_after_s), 1))
    if refused.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    if path.startswith(DEEPSTACK_PREFIX):
        content: dict[str, object] = {"success": False, "error": reason, "code": refused.status}
    else:
        content = {"error": reason}
    return JSONResponse(content, refused.status, headers)


async def on_refused(request: Request, error: Exception) -> Response:
    """Answer a request that a route has refused."""
    assert isinstance(error, Refused)
    return refusal_response(request.scope["path"], error)


async def on_http_error(request: Request, error: Exception) -> Response:
    """Answer a request that Starlette refuses: an unknown path or method, or a broken form."""
    assert isinstance(error, HTTPException)
    path, headers, reason = request.scope["path"], dict(error.headers or {}), error.detail
    if error.status_code == HTTPStatus.NOT_FOUND:
        reason = f"nothing at {path}; pictures go to /v1/infer or /v2/models/<family>"
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = sorted(headers.get("Allow", "").split(", "))  # Starlette's order varies.
        headers["Allow"] = ", ".join(allowed)
        reason = f"{request.method} is not a method of {path}; it takes {' and '.join(allowed)}"
    response = refusal_response(path, Refused(error.status_code, reason))
    response.headers.update(headers)
    return response


async def on_defect(request: Request, error: Exception) -> Response:
    """Answer a request that met a defect of ours; the server logs it."""
    return refusal_response(request.scope["path"], Refused(500, "internal error; the log has it"))


async def on_disconnect(request: Request, error: Exception) -> Response:
    """End a request whose client has gone; nobody reads this response."""
    return Response(status_code=400)
