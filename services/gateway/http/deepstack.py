"""The routes of DeepStack and CodeProject.AI, which NVR programs and home automation speak.

`scene` names what a picture shows. `detection` and `custom/<model>` give the objects in it, highest
confidence first: some clients read no further than the first that is too low. Errors are
`{"success": false, "error": …}`.
"""

from __future__ import annotations

import math

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tercet.schemas.fleet import Box
from tercet.services.gateway.application import Answer, ApplicationRequest
from tercet.services.gateway.http import families
from tercet.services.gateway.http.access_control import given_token
from tercet.services.gateway.http.answer_json import Json, origin, parts, timing_headers
from tercet.services.gateway.http.families import Family
from tercet.services.gateway.http.forms import PictureForm, picture_form
from tercet.services.gateway.http.front import Front
from tercet.services.gateway.http.refusal import DEEPSTACK_PREFIX, Refused
from tercet.services.gateway.http.request_fields import request_fields

DEFAULT_MIN_CONFIDENCE = 0.4
"""Of objects, where the form has no `min_confidence`; as these servers have it."""


class DeepStackRoutes:
    """The routes and their handlers."""

    def __init__(self, front: Front) -> None:
        self._front = front

    def routes(self) -> list[Route]:
        """The routes of this format."""
        return [
            Route(f"{DEEPSTACK_PREFIX}scene", self.scene, methods=["POST"]),
            Route(f"{DEEPSTACK_PREFIX}detection", self.detection, methods=["POST"]),
            Route(f"{DEEPSTACK_PREFIX}custom/{{model}}", self.custom, methods=["POST"]),
        ]

    async def scene(self, request: Request) -> Response:
        """Name the likeliest class of a picture."""
        family = families.of_task(self._front.families, "classification")
        if family is None:
            raise Refused(501, f"no classification here; {self._offered()}")
        answer, _ = await self._answered(request, family)
        if not answer.labels:
            raise Refused(422, "the picture got no label")
        best = answer.labels[0]
        return _response(answer, {"label": best.name, "confidence": best.probability})

    async def detection(self, request: Request) -> Response:
        """Find the objects in a picture."""
        family = families.of_task(self._front.families, "detection")
        if family is None:
            raise Refused(501, f"no object detection here; {self._offered()}")
        return await self._objects(request, family)

    async def custom(self, request: Request) -> Response:
        """Find the objects in a picture by the family that the path names."""
        model = request.path_params["model"]
        family = next((one for one in self._front.families() if one.name == model), None)
        if family is None:
            raise Refused(404, f"no object detection model {model!r} here; {self._offered()}")
        families.check_task(family, "detection")
        return await self._objects(request, family)

    async def _objects(self, request: Request, family: Family) -> Response:
        answer, form = await self._answered(request, family)
        least = _min_confidence(form.fields.get("min_confidence"))
        found = [_prediction(box) for box in answer.boxes if box.probability >= least]
        return _response(answer, {"message": "", "count": len(found), "predictions": found})

    async def _answered(self, request: Request, family: Family) -> tuple[Answer, PictureForm]:
        limits = self._front.admission.limits
        default_ms = limits.deepstack_deadline_ms
        fields = request_fields(request, default_ms, limits.longest_deadline_ms)
        form = await picture_form(request)
        if given_token(request.headers, request.query_params) is None:
            self._front.tokens.check(form.fields.get("api_key"))
        _min_confidence(form.fields.get("min_confidence"))  # Before anything is run.
        answer = await self._front.answer(
            ApplicationRequest(
                picture=form.picture,
                source=fields.source,
                frame=fields.frame,
                deadline_ms=fields.deadline_ms,
                family=family.name,
            )
        )
        return answer, form

    def _offered(self) -> str:
        listed = ", ".join(f"{one.name} ({one.task})" for one in self._front.families()) or "none"
        return f"families: {listed}"


def _response(answer: Answer, found: Json) -> Response:
    content = {
        "success": True,
        "code": 200,
        **found,
        "inferenceMs": round(answer.compute_ms),
        "processMs": round(answer.response_ms),
        **origin(answer),
        "parts": parts(answer),
    }
    return JSONResponse(content, headers=timing_headers(answer))


def _min_confidence(text: str | None) -> float:
    """The least confidence that is asked for; Refused with 400 unless it is within 0 and 1."""
    try:
        least = DEFAULT_MIN_CONFIDENCE if text is None else float(text)
    except ValueError:
        least = math.nan
    if not 0 <= least <= 1:
        raise Refused(400, f"min_confidence: {text!r} is no number from 0 to 1")
    return least


def _prediction(box: Box) -> Json:
    """An object in whole pixels, as these clients expect."""
    edges = {edge: round(getattr(box, edge)) for edge in ("x_min", "y_min", "x_max", "y_max")}
    return {"label": box.name, "confidence": box.probability, **edges}
