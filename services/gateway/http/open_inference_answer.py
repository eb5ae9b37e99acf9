"""The answer to an inference request of the Open Inference Protocol."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable
from dataclasses import dataclass

from starlette.responses import Response

from tercet.schemas.fleet import Label
from tercet.services.gateway.application import Answer
from tercet.services.gateway.http.answer_json import Json, origin, parts, timing_headers
from tercet.services.gateway.http.families import Family
from tercet.services.gateway.http.open_inference_body import InferenceRequest, RequestedOutput
from tercet.services.gateway.http.refusal import Refused

LABELS, PROBABILITIES = "labels", "probabilities"
OUTPUTS = {LABELS: "BYTES", PROBABILITIES: "FP32"}
"""Output to its datatype; each has one element per label, the likeliest first."""
HEADER_LENGTH = "Inference-Header-Content-Length"


@dataclass(frozen=True, slots=True)
class OutputTensor:
    """An output as JSON values and as binary data."""

    name: str
    datatype: str
    values: tuple[str | float, ...]
    binary: bool

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
            "shape": [len(self.values)],
        }
        if self.binary:
            return {**listed, "parameters": {"binary_data_size": len(data)}}
        return {**listed, "data": list(self.values)}


def check_outputs(request: InferenceRequest) -> None:
    """Raise Refused with 400 for an output that does not exist, before anything is run."""
    for wanted in request.outputs:
        if wanted.name not in OUTPUTS:
            raise Refused(400, f"unknown output {wanted.name!r}: there are {', '.join(OUTPUTS)}")
        _count(wanted)


def response(request: InferenceRequest, family: Family, answer: Answer) -> Response:
    """The answer with the outputs that the request asks for; without any, all of them."""
    by_default = request.parameters.get("binary_data_output") is True
    wanted = request.outputs or tuple(RequestedOutput(name=name) for name in OUTPUTS)
    tensors = [_tensor(one, family, answer.labels, by_default) for one in wanted]
    data = [tensor.data() if tensor.binary else b"" for tensor in tensors]
    content = {
        "model_name": family.name,
        "model_version": (answer.option or "").partition("@")[0],
        "id": request.id or str(answer.request),
        "parameters": {**origin(answer), **parts(answer)},
        "outputs": [t.described(d) for t, d in zip(tensors, data, strict=True)],
    }
    head = json.dumps(content).encode()
    headers = timing_headers(answer)
    if not any(tensor.binary for tensor in tensors):
        return Response(head, media_type="application/json", headers=headers)
    headers[HEADER_LENGTH] = str(len(head))
    body = b"".join((head, *data))
    return Response(body, media_type="application/octet-stream", headers=headers)


def _tensor(
    wanted: RequestedOutput, family: Family, labels: tuple[Label, ...], by_default: bool
) -> OutputTensor:
    binary = wanted.parameters.get("binary_data", by_default) is True
    count = _count(wanted)
    if count:
        classes = tuple(_classes(family, labels[:count]))
        return OutputTensor(wanted.name, "BYTES", classes, binary)
    if wanted.name == LABELS:
        return OutputTensor(wanted.name, "BYTES", tuple(one.name for one in labels), binary)
    probabilities = tuple(one.probability for one in labels)
    return OutputTensor(wanted.name, "FP32", probabilities, binary)


def _classes(family: Family, labels: Iterable[Label]) -> Iterable[str]:
    """As Triton's classification extension has them: `score:index:label`."""
    for one in labels:
        yield f"{one.probability:f}:{family.index(one.name)}:{one.name}"


def _count(wanted: RequestedOutput) -> int:
    """Classes that the classification extension asks for; 0: it is not asked for."""
    count = wanted.parameters.get("classification", 0)
    if isinstance(count, bool) or not isinstance(count, int) or count < 0:
        raise Refused(400, f"output {wanted.name}: classification: no number of classes")
    return count
