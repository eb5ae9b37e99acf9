"""Open Inference Protocol v2, which clients of KServe, Triton, OpenVINO and MLServer speak.

A model is a family, and its versions are the variants: which one answers is Tercet's decision,
unless the path names one. The picture is one BYTES element of one input, whatever its name; a
family for raw tensors takes and gives those of its models.
"""

from __future__ import annotations

from functools import partial

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

import tercet
from tercet.services.gateway.application import ApplicationRequest
from tercet.services.gateway.http import families, open_inference_body
from tercet.services.gateway.http.answer_json import Json
from tercet.services.gateway.http.families import Family
from tercet.services.gateway.http.front import Front
from tercet.services.gateway.http.open_inference_answer import (
    HEADER_LENGTH,
    OUTPUTS,
    SHAPES,
    check_outputs,
    response,
)
from tercet.services.gateway.http.open_inference_body import ParsedBody
from tercet.services.gateway.http.open_inference_tensors import tensor_of
from tercet.services.gateway.http.refusal import Refused
from tercet.services.gateway.http.request_fields import name, request_fields

INPUT = "image"
EXTENSIONS = ("binary_tensor_data", "classification")
MODEL, VERSION = "/v2/models/{model}", "/v2/models/{model}/versions/{version}"


class OpenInferenceRoutes:
    """The routes and their handlers."""

    def __init__(self, front: Front) -> None:
        self._front = front

    def routes(self) -> list[Route]:
        """The routes of this format."""
        listed = [
            Route("/v2", self.server),
            Route("/v2/health/live", self.live),
            Route("/v2/health/ready", self.ready),
        ]
        for model in (MODEL, VERSION):
            listed += [
                Route(model, self.metadata),
                Route(f"{model}/ready", self.model_ready),
                Route(f"{model}/infer", self.infer, methods=["POST"]),
            ]
        return listed

    async def server(self, request: Request) -> Response:
        """Describe this server."""
        version = tercet.__version__
        return JSONResponse({"name": "tercet", "version": version, "extensions": EXTENSIONS})

    async def live(self, request: Request) -> Response:
        """Answer as long as this process does."""
        return JSONResponse({"live": True})

    async def ready(self, request: Request) -> Response:
        """Whether a picture can be classified now."""
        ready = any(family.ready for family in self._front.families())
        return JSONResponse({"ready": ready}, 200 if ready else 503)

    async def model_ready(self, request: Request) -> Response:
        """Whether a picture can be classified by this family now."""
        family = self._family(request)
        return JSONResponse(
            {"name": family.name, "ready": family.ready}, 200 if family.ready else 503
        )

    async def metadata(self, request: Request) -> Response:
        """Describe a family, its input and its outputs."""
        family = self._family(request)
        inputs: list[Json] = [{"name": INPUT, "datatype": "BYTES", "shape": [1]}]
        outputs: list[Json] = [
            {"name": output, "datatype": datatype, "shape": SHAPES.get(output, [-1])}
            for output, datatype in OUTPUTS.get(family.task, {}).items()
        ]
        if family.tensors is not None:
            inputs = [family.tensors.input.model_dump()]
            outputs = [output.model_dump() for output in family.tensors.outputs]
        content = {
            "name": family.name,
            "versions": family.variants,
            "platform": "tercet",
            "inputs": inputs,
            "outputs": outputs,
        }
        return JSONResponse(content)

    async def infer(self, request: Request) -> Response:
        """Answer one picture."""
        limits = self._front.admission.limits
        family = self._family(request)
        fields = request_fields(request, limits.deadline_ms, limits.longest_deadline_ms)
        parsed = await self._parsed(request, family)
        check_outputs(parsed.request, family)
        deadline_ms = parsed.request.deadline_ms or fields.deadline_ms
        answer = await self._front.answer(
            ApplicationRequest(
                picture=parsed.content,
                source=fields.source,
                frame=fields.frame or name("id", parsed.request.id),
                deadline_ms=min(deadline_ms, limits.longest_deadline_ms),
                family=family.name,
                variant=request.path_params.get("version"),
                is_picture=family.tensors is None,
            )
        )
        return response(parsed.request, family, answer)

    async def _parsed(self, request: Request, family: Family) -> ParsedBody:
        if request.headers.get("content-encoding", "identity") != "identity":
            raise Refused(415, "Content-Encoding: compressed requests are not read")
        length = request.headers.get(HEADER_LENGTH)
        limit = self._front.admission.limits.json_bytes
        read = None
        if family.tensors is not None:
            read = partial(tensor_of, expected=family.tensors.input)
        return open_inference_body.parse(await request.body(), length, limit, read)

    def _family(self, request: Request) -> Family:
        """The family that the path names; Refused with 404 for an unknown one, or its variant."""
        family = families.find(self._front.families, request.path_params["model"])
        if (version := request.path_params.get("version")) is not None:
            families.check_variant(family, version)
        return family
