"""The routes of DeepStack and CodeProject.AI, which NVR programs and home automation speak.

`scene` names what a picture shows. `detection` and `custom/<model>` give boxes; until a family of
that task exists they are refused. Errors are `{"success": false, "error": …}`.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tercet.services.gateway.application import ApplicationRequest
from tercet.services.gateway.http.access_control import given_token
from tercet.services.gateway.http.answer_json import origin, parts, timing_headers
from tercet.services.gateway.http.forms import picture_form
from tercet.services.gateway.http.front import Front
from tercet.services.gateway.http.refusal import DEEPSTACK_PREFIX, Refused
from tercet.services.gateway.http.request_fields import request_fields


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
        limits = self._front.admission.limits
        default_ms = limits.deepstack_deadline_ms
        fields = request_fields(request, default_ms, limits.longest_deadline_ms)
        form = await picture_form(request)
        if given_token(request.headers, request.query_params) is None:
            self._front.tokens.check(form.fields.get("api_key"))
        answer = await self._front.answer(
            ApplicationRequest(
                picture=form.picture,
                source=fields.source,
                frame=fields.frame,
                deadline_ms=fields.deadline_ms,
                family=None,
            )
        )
        if not answer.labels:
            raise Refused(422, "the picture got no label")
        best = answer.labels[0]
        content = {
            "success": True,
            "label": best.name,
            "confidence": best.probability,
            "inferenceMs": round(answer.compute_ms),
            "processMs": round(answer.response_ms),
            **origin(answer),
            "parts": parts(answer),
        }
        return JSONResponse(content, headers=timing_headers(answer))

    async def detection(self, request: Request) -> Response:
        """Refuse: no family of this gateway finds boxes."""
        raise Refused(501, f"no object detection here; {self._offered()}")

    async def custom(self, request: Request) -> Response:
        """Refuse: no family of this gateway finds boxes."""
        model = request.path_params["model"]
        raise Refused(404, f"no object detection model {model!r} here; {self._offered()}")

    def _offered(self) -> str:
        families = self._front.families()
        listed = ", ".join(f"{family.name} ({family.task})" for family in families) or "none"
        return f"families: {listed}; {DEEPSTACK_PREFIX}scene classifies"
