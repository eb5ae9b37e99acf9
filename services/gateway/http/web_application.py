"""The web application: the routes of all formats behind access control and limits."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect

from tercet.services.gateway.application import Infer, Room
from tercet.services.gateway.http.access_control import AccessControl, Tokens
from tercet.services.gateway.http.admission import Admission, BoundedBodies
from tercet.services.gateway.http.deepstack import DeepStackRoutes
from tercet.services.gateway.http.families import Families
from tercet.services.gateway.http.front import Front
from tercet.services.gateway.http.limits import Limits
from tercet.services.gateway.http.open_inference import OpenInferenceRoutes
from tercet.services.gateway.http.plain import PlainRoutes
from tercet.services.gateway.http.refusal import (
    Refused,
    on_defect,
    on_disconnect,
    on_http_error,
    on_refused,
)

READABLE_HEADERS = ("Server-Timing", "Retry-After", "Inference-Header-Content-Length")
"""Headers of a response that pages of the allowed origins may read."""


def web_application(
    infer: Infer,
    families: Families,
    *,
    room: Room | None = None,
    tokens: Tokens | None = None,
    origins: Sequence[str] = (),
    limits: Limits | None = None,
) -> Starlette:
    """Return the routes, answered by `infer`; `origins` are the sites whose pages may ask."""
    admission, accepted = Admission(limits or Limits(), room), tokens or Tokens()
    front = Front(infer, families, admission, accepted)
    middleware = [
        Middleware(AccessControl, tokens=accepted, origins=origins),
        Middleware(BoundedBodies, admission=admission),
    ]
    if origins:
        middleware.insert(0, _cors(origins))
    return Starlette(
        routes=[
            *PlainRoutes(front).routes(),
            *OpenInferenceRoutes(front).routes(),
            *DeepStackRoutes(front).routes(),
        ],
        middleware=middleware,
        exception_handlers={
            Refused: on_refused,
            HTTPException: on_http_error,
            ClientDisconnect: on_disconnect,
            Exception: on_defect,
        },
    )


def _cors(origins: Sequence[str]) -> Middleware:
    return Middleware(
        CORSMiddleware,
        allow_origins=list(origins),
        allow_methods=["GET", "POST"],
        allow_headers=["*"],
        expose_headers=list(READABLE_HEADERS),
    )
