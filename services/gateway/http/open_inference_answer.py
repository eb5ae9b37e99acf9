"""The answer to an inference request of the Open Inference Protocol."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain

from starlette.responses import Response

from tercet.schemas.fleet import Box, Label
from tercet.services.gateway.application import Answer
from tercet.services.gateway.http.answer_json import Json, origin, parts, timing_headers
from tercet.services.gateway.http.families import Family
from tercet.services.gateway.http.open_inference_body import InferenceRequest, RequestedOutput
from tercet.services.gateway.http.open_inference_tensors import described
from tercet.services.gateway.http.refusal import Refused

LABELS, PROBABILITIES, BOXES, SCORES = "labels", "probabilities", "boxes", "scores"
OUTPUTS = {
    "classification": {LABELS: "BYTES", PROBABILITIES: "FP32"},
    "detection": {BOXES: "FP32", SCORES: "FP32", LABELS: "BYTES"},
}
"""Task to its outputs and their datatypes; each has a row per label or object, the likeliest first.
A row of `boxes` is x_min, y_min, x_max, y_max in pixels of the picture as it was sent."""
SHAPES = {BOXES: [-1, 4]}
"""Of an output that is not [-1]."""
HEADER_LENGTH = "Inference-Header-Content-Length"


@dataclass(frozen=True, slots=True)
class OutputTensor:
    """An output as JSON values and as binary data."""

    name: str
    datatype: str
    values: tuple[str | float, ...]
    binary: bool
    row: tuple[int, ...] = ()
    """Shape of an element: (4,) for a box."""

    def data(self) -> bytes:
        """The elements as binary data."""
        if self.datatype == "FP32":
            return struct.pack(f"<{len(self.values)}f", *self.values)
        encoded = (str(value).encode() for value in self.values)
        return b"".join(len(one).to_bytes(4, "little") + one for one in encoded)

    def described(self, data: bytes) -> Json:
        """The output in the JSON of an answer."""
        listed: Json = {
            "name": self.name,
            "datatype": self.datatype,
            "shape": [len(self.values) // math.prod(self.row), *self.row],
        }
        if self.binary:
            return {**listed, "parameters": {"binary_data_size": len(data)}}
        return {**listed, "data": list(self.values)}


def check_outputs(request: InferenceRequest, family: Family) -> None:
    """Raise Refused with 400 for an output that does not exist, before anything is run."""
    known = _outputs(family)
    for wanted in request.outputs:
        if wanted.name not in known:
            listed = f"there are {', '.join(known)}"
            raise Refused(400, f"unknown output {wanted.name!r} of {family.task}: {listed}")
        if _count(wanted) and (wanted.name == BOXES or family.tensors is not None):
            raise Refused(400, f"output {wanted.name}: classification: it has no classes")


def _outputs(family: Family) -> tuple[str, ...]:
    if family.tensors is not None:
        return tuple(output.name for output in family.tensors.outputs)
    return tuple(OUTPUTS[family.task])


def response(request: InferenceRequest, family: Family, answer: Answer) -> Response:
    """The answer with the outputs that the request asks for; without any, all of them."""
    by_default = request.parameters.get("binary_data_output") is True
    wanted = request.outputs or tuple(RequestedOutput(name=name) for name in _outputs(family))
    outputs = [_output(one, family, answer, by_default) for one in wanted]
    content = {
        "model_name": family.name,
        "model_version": (answer.option or "").partition("@")[0],
        "id": request.id or str(answer.request),
        "parameters": {**origin(answer), **parts(answer)},
        "outputs": [shown for shown, _ in outputs],
    }
    head = json.dumps(content).encode()
    headers = timing_headers(answer)
    if not any("parameters" in shown for shown, _ in outputs):
        return Response(head, media_type="application/json", headers=headers)
    headers[HEADER_LENGTH] = str(len(head))
    body = b"".join((head, *(data for _, data in outputs)))
    return Response(body, media_type="application/octet-stream", headers=headers)


def _output(
    wanted: RequestedOutput, family: Family, answer: Answer, by_default: bool
) -> tuple[Json, bytes]:
    """An output in the JSON of an answer, and its binary data."""
    if family.tensors is not None:
        binary = wanted.parameters.get("binary_data", by_default) is True
        found = {tensor.name: tensor for tensor in answer.tensors}
        return described(found[wanted.name], binary)
    one = _tensor(wanted, family, answer, by_default)
    data = one.data() if one.binary else b""
    return one.described(data), data


def _tensor(
    wanted: RequestedOutput, family: Family, answer: Answer, by_default: bool
) -> OutputTensor:
    binary = wanted.parameters.get("binary_data", by_default) is True
    found: Sequence[Label | Box] = answer.boxes if family.task == "detection" else answer.labels
    count = _count(wanted)
    if count:
        classes = tuple(_classes(family, found[:count]))
        return OutputTensor(wanted.name, "BYTES", classes, binary)
    if wanted.name == LABELS:
        return OutputTensor(LABELS, "BYTES", tuple(one.name for one in found), binary)
    if wanted.name == BOXES:
        edges = [(b.x_min, b.y_min, b.x_max, b.y_max) for b in answer.boxes]
        return OutputTensor(BOXES, "FP32", tuple(chain.from_iterable(edges)), binary, (4,))
    probabilities = tuple(one.probability for one in found)
    return OutputTensor(wanted.name, "FP32", probabilities, binary)


def _classes(family: Family, found: Iterable[Label | Box]) -> Iterable[str]:
    """As Triton's classification extension has them: `score:index:label`."""
    for one in found:
        yield f"{one.probability:f}:{family.index(one.name)}:{one.name}"


def _count(wanted: RequestedOutput) -> int:
    """Classes that the classification extension asks for; 0: it is not asked for."""
    count = wanted.parameters.get("classification", 0)
    if isinstance(count, bool) or not isinstance(count, int) or count < 0:
        raise Refused(400, f"output {wanted.name}: classification: no number of classes")
    return count
