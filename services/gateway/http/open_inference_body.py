"""The body of an inference request of the Open Inference Protocol: JSON, or JSON and binary data.

With the header `Inference-Header-Content-Length` the body begins with so many bytes of JSON, and
the tensors follow. Of 0 bytes, the body is the picture itself (a "raw binary request").
"""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tercet.services.gateway.http.refusal import Refused

LENGTH_BYTES = 4
"""A BYTES element is preceded by its length, little-endian."""
MICROSECONDS_PER_MS = 1000.0
MAX_TIMEOUT_US = 10**15
"""Thirty years; JSON has whole numbers that are larger than any float."""

Dimension = Annotated[int, Field(ge=0)]
Parameters = dict[str, Any]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str = Field(max_length=128)
    parameters: Parameters = Field(default_factory=dict)


class InputTensor(_Part):
    """A tensor of the request."""

    shape: tuple[Dimension, ...] = Field(max_length=8)
    datatype: str = Field(max_length=16)
    data: list[Any] | None = None


class RequestedOutput(_Part):
    """An output that the client asks for."""


class InferenceRequest(BaseModel):
    """The JSON of a request."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str = Field("", max_length=128)
    parameters: Parameters = Field(default_factory=dict)
    inputs: tuple[InputTensor, ...] = ()
    outputs: tuple[RequestedOutput, ...] = Field((), max_length=16)

    @property
    def deadline_ms(self) -> float | None:
        """The parameter `timeout`, which is in microseconds; None where it is absent or 0."""
        given = self.parameters.get("timeout")
        if given is None or given == 0:
            return None
        number = isinstance(given, int | float) and not isinstance(given, bool)
        if not number or not 0 < given < math.inf:
            raise Refused(400, "parameters: timeout: no number of microseconds above 0")
        microseconds: float = min(given, MAX_TIMEOUT_US)
        return microseconds / MICROSECONDS_PER_MS


@dataclass(frozen=True, slots=True)
class ParsedBody:
    """A request, and the picture or tensor in it."""

    request: InferenceRequest
    content: bytes


Read = Callable[[InferenceRequest, bytes], bytes]
"""The content of a request's input; the bytes are the binary data after the JSON."""


def parse(
    body: bytes, header_length: str | None, max_json_bytes: int, read: Read | None = None
) -> ParsedBody:
    """Read a body; `header_length` is the header's text. Raises Refused with 400 or 413.

    `read` takes the content from the input; without it, that is a picture.
    """
    length = _header_length(header_length, len(body))
    if length == 0 and read is None:
        return ParsedBody(InferenceRequest(), body)
    if length > max_json_bytes:
        raise Refused(413, f"the JSON is larger than {max_json_bytes} bytes; send binary data")
    try:
        request = InferenceRequest.model_validate_json(body[:length])
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the JSON"
        raise Refused(400, f"{where}: {first['msg']}") from None
    return ParsedBody(request, (read or _picture)(request, body[length:]))


def _header_length(text: str | None, available: int) -> int:
    if text is None:
        return available
    if not (text.isascii() and text.isdigit()) or len(text) > 10 or int(text) > available:
        raise Refused(
            400, f"Inference-Header-Content-Length: {text[:20]!r}, but the body has {available}"
        )
    return int(text)


def _picture(request: InferenceRequest, rest: bytes) -> bytes:
    """The one BYTES element of the one input; `rest` is the binary data after the JSON."""
    if len(request.inputs) != 1:
        raise Refused(400, f"inputs: one tensor is expected, not {len(request.inputs)}")
    tensor = request.inputs[0]
    if tensor.datatype != "BYTES":
        raise Refused(
            400, f"input {tensor.name}: datatype BYTES is expected, not {tensor.datatype}"
        )
    if math.prod(tensor.shape) != 1:
        raise Refused(400, f"input {tensor.name}: shape [1] is expected, not {list(tensor.shape)}")
    if (size := tensor.parameters.get("binary_data_size")) is not None:
        return _element(tensor.name, size, rest)
    if rest:
        raise Refused(400, f"{len(rest)} bytes after the JSON belong to no input")
    return _decoded(tensor)


def _element(name: str, size: object, rest: bytes) -> bytes:
    if size != len(rest):
        raise Refused(
            400, f"input {name}: binary_data_size: {size}, but {len(rest)} bytes follow the JSON"
        )
    length = int.from_bytes(rest[:LENGTH_BYTES], "little")
    if len(rest) < LENGTH_BYTES or length != len(rest) - LENGTH_BYTES:
        raise Refused(
            400,
            f"input {name}: the element's length does not fit: {length}, "
            f"of {max(len(rest) - LENGTH_BYTES, 0)} bytes",
        )
    return rest[LENGTH_BYTES:]


def _decoded(tensor: InputTensor) -> bytes:
    """The picture in JSON, base64: JSON has no bytes."""
    data: Any = tensor.data
    while isinstance(data, list) and len(data) == 1:  # Of shape [1, 1] it may be nested.
        data = data[0]
    if not isinstance(data, str):
        raise Refused(400, f"input {tensor.name}: data: one text in base64 is expected")
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        raise Refused(400, f"input {tensor.name}: data: not base64") from None
