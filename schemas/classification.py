"""inference.v1.<node>: the request is a JPEG as raw bytes with headers, this is the reply.

Request: body = the JPEG; header `Variant` = name of a variant of the node; header `Cause` = id of
the decision (optional).
"""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from tercet.schemas.fleet import Box, Label, Part, PictureSize
from tercet.schemas.message import Message, Milliseconds, Name


class Tensor(Part):
    """One output of a model for raw tensors, as it is."""

    name: str
    datatype: str = Field(description="as the Open Inference Protocol names it, such as FP32")
    shape: tuple[int, ...] = Field(max_length=16)
    data: str = Field(description="its elements, little-endian, row by row, in base64")


class Classification(Message):
    """The reply of an inference service: labels and its own times, or the reason without."""

    SUBJECT: ClassVar = "inference.v1.{node}"
    type: Literal["inference.v1"] = "inference.v1"

    node: Name
    status: Literal["ok", "overloaded", "refused"] = Field(
        description="overloaded: queue full, run it elsewhere; refused: see reason, do not retry"
    )
    reason: str = ""
    variant: str = ""
    labels: tuple[Label, ...] = Field((), description="most probable first, at most five")
    boxes: tuple[Box, ...] = Field(
        (), max_length=1_000, description="of a detector: objects, most probable first"
    )
    picture: PictureSize | None = Field(
        None, description="size of the picture that the boxes refer to"
    )
    tensors: tuple[Tensor, ...] = Field(
        (), max_length=64, description="of a model for raw tensors: its outputs"
    )
    queue_ms: Milliseconds = Field(0.0, description="waited for a worker, ms")
    compute_ms: Milliseconds = Field(0.0, description="decode and run, ms, emulation included")
    emulated: bool = Field(False, description="held until thread time / cpu share had passed")
    late: bool = Field(False, description="the host was busier than the emulated node would be")
