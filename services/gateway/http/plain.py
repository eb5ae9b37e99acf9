"""POST /v1/infer: a picture as body, or as the file `image` of a form; the answer is JSON.

The query may name a `family` and, in tests and comparisons, a `variant` of it.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tercet.services.gateway.application import Answer, ApplicationRequest
from tercet.services.gateway.http import families
from tercet.services.gateway.http.answer_json import Json, origin, parts, timing_headers
from tercet.services.gateway.http.forms import is_form, picture_form
from tercet.services.gateway.http.front import Front
from tercet.services.gateway.http.refusal import Refused
from tercet.services.gateway.http.request_fields import request_fields

ACCEPTED_TYPES = ("image/", "application/octet-stream", "application/x-www-form-urlencoded")
"""Beginnings of the Content-Type of a picture; the last is what `curl --data-binary` sends."""


class PlainRoutes:
    """The route and its handler."""

    def __init__(self, front: Front) -> None:
        self._front = front

    def routes(self) -> list[Route]:
        """The routes of this format."""
        return [Route("/v1/infer", self.infer, methods=["POST"])]

    async def infer(self, request: Request) -> Response:
        """Answer one picture."""
        limits = self._front.admission.limits
        fields = request_fields(request, limits.deadline_ms, limits.longest_deadline_ms)
        family, variant = self._wanted(request)
        answer = await self._front.answer(
            ApplicationRequest(
                picture=await _picture(request),
                source=fields.source,
                frame=fields.frame,
                deadline_ms=fields.deadline_ms,
                family=family,
                variant=variant,
            )
        )
        content = {**_content(answer), "source": fields.source, "frame": fields.frame}
        return JSONResponse(content, headers=timing_headers(answer))

    def _wanted(self, request: Request) -> tuple[str | None, str | None]:
        """Family and variant that the query names; raises Refused for unknown ones."""
        name, variant = (request.query_params.get(key) for key in ("family", "variant"))
        offered = self._front.families()
        if name is None and variant is None:
            for first in offered[:1]:
                families.check_takes_pictures(first)
            return None, None
        family = families.find(self._front.families, name or (offered[0].name if offered else ""))
        families.check_takes_pictures(family)
        if variant is not None:
            families.check_variant(family, variant)
        return family.name, variant


async def _picture(request: Request) -> bytes:
    if is_form(request):
        return (await picture_form(request)).picture
    given = request.headers.get("content-type", "")
    if given and not given.lower().startswith(ACCEPTED_TYPES):
        raise Refused(415, f"Content-Type: a picture is expected, not {given}")
    if request.headers.get("content-encoding", "identity") != "identity":
        raise Refused(415, "Content-Encoding: a picture is sent as it is")
    picture = await request.body()
    if not picture:
        raise Refused(400, "no picture: the body is empty")
    return picture


def _boxes(answer: Answer) -> Json:
    """The objects of a detector's answer, and the size of the picture that they refer to."""
    if answer.picture is None:
        return {}
    return {
        "boxes": [box.model_dump() for box in answer.boxes],
        "picture": answer.picture.model_dump(),
    }


def _content(answer: Answer) -> Json:
    return {
        **origin(answer),
        "labels": [
            {"name": label.name, "probability": label.probability} for label in answer.labels
        ],
        **_boxes(answer),
        "response_ms": round(answer.response_ms, 3),
        "parts": parts(answer),
    }
