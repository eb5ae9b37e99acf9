"""What a request names beside its picture: a deadline, its source, its frame."""

from __future__ import annotations

import math
from dataclasses import dataclass

from starlette.requests import Request

from tercet.services.gateway.http.refusal import Refused

DEADLINE_HEADER, SOURCE_HEADER, FRAME_HEADER = "X-Deadline-Ms", "X-Source", "X-Frame"
DEFAULT_SOURCE = "http"
MAX_NAME = 128
"""Characters of a source's or a frame's name."""


@dataclass(frozen=True, slots=True)
class RequestFields:
    """Checked fields of one request."""

    deadline_ms: float
    source: str
    frame: str | None


def request_fields(request: Request, default_ms: float, longest_ms: float) -> RequestFields:
    """Read headers, else the query; raises Refused with 400 for one that is malformed.

    `X-Deadline-Ms` or `deadline_ms`, `X-Source` or `source`, `X-Frame` or `frame`.
    """
    deadline = _given(request, DEADLINE_HEADER, "deadline_ms")
    return RequestFields(
        deadline_ms=min(default_ms if deadline is None else milliseconds(deadline), longest_ms),
        source=name("source", _given(request, SOURCE_HEADER, "source")) or DEFAULT_SOURCE,
        frame=name("frame", _given(request, FRAME_HEADER, "frame")),
    )


def milliseconds(text: str) -> float:
    """A deadline, ms; raises Refused with 400 unless it is a number above 0."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or value <= 0:
        raise Refused(400, f"deadline: {text!r} is no number of milliseconds above 0")
    return value


def name(what: str, text: str | None) -> str | None:
    """The name of a source or frame, None if it is absent or empty; raises Refused with 400."""
    if not text:
        return None
    if len(text) > MAX_NAME or not text.isprintable():
        raise Refused(400, f"{what}: not 1 to {MAX_NAME} printable characters")
    return text


def _given(request: Request, header: str, parameter: str) -> str | None:
    return request.headers.get(header) or request.query_params.get(parameter) or None
