"""Calls of an interface's methods between two processes: JSON that both sides validate.

A frame is two lengths, a JSON header of the first length and raw bytes of the second. A question
names a method of the interface and gives its arguments; the raw part is the argument of type
`bytes`. An answer holds the value, or the kind and the text of an error. Nothing in a frame is
executed: a question can only name a method of the interface, and all values are validated against
its annotations, arguments in the child and results in the parent.
"""

from __future__ import annotations

import inspect
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, BinaryIO, Literal, Union, get_type_hints

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    TypeAdapter,
    ValidationError,
    create_model,
)
from pydantic_core import to_json

from tercet.process import log

LENGTHS = struct.Struct("!QQ")
"""Before every frame: the lengths of its header and of its raw bytes."""
MAX_BYTES = 1 << 28
"""A frame that announces more is skipped and refused."""
CHUNK = 1 << 20
"""Bytes read at once of a frame that is skipped."""

_STRICT = ConfigDict(extra="forbid")

_log = log.get(__name__)


class MalformedFrame(Exception):
    """Not a frame, not a question of the interface, or not an answer to the question."""


class CallFailed(Exception):
    """The method raised an error of a kind that the interface does not name."""


class _Failure(BaseModel):
    model_config = _STRICT
    error: str
    text: str


@dataclass(frozen=True)
class Frame:
    """One question or answer."""

    header: bytes
    blob: bytes = b""

    def packed(self) -> bytes:
        """The frame behind its lengths."""
        return LENGTHS.pack(len(self.header), len(self.blob)) + self.header + self.blob


def lengths(prefix: bytes) -> tuple[int, int]:
    """Read the lengths of a frame; raises MalformedFrame when they exceed the limit."""
    header, blob = LENGTHS.unpack(prefix)
    if header + blob > MAX_BYTES:
        raise MalformedFrame(f"a frame of {header + blob} bytes")
    return header, blob


def read_frame(stream: BinaryIO) -> Frame | None:
    """Read a frame; None at the end. A frame that is too large is skipped: MalformedFrame."""
    prefix = stream.read(LENGTHS.size)
    if len(prefix) < LENGTHS.size:
        return None
    try:
        header, blob = lengths(prefix)
    except MalformedFrame:
        rest = sum(LENGTHS.unpack(prefix))
        while rest > 0 and (skipped := len(stream.read(min(rest, CHUNK)))):
            rest -= skipped
        raise
    body = stream.read(header + blob)
    return Frame(body[:header], body[header:]) if len(body) == header + blob else None


class Call:
    """How one method travels."""

    def __init__(self, method: Callable[..., Any]) -> None:
        self.name = method.__name__
        self._signature = inspect.signature(method)
        hints = get_type_hints(method)
        result = hints.pop("return")
        self._blob = next((name for name, kind in hints.items() if kind is bytes), None)
        fields: dict[str, Any] = {"method": (Literal[self.name], ...)} | {
            name: (kind, _default(self._signature.parameters[name]))
            for name, kind in hints.items()
            if name != self._blob
        }
        self.model = create_model(self.name, __config__=_STRICT, **fields)
        value = create_model(f"{self.name}_value", __config__=_STRICT, value=(result, ...))
        self._answer = TypeAdapter[Any](value | _Failure)

    def question(self, *args: Any, **kwargs: Any) -> Frame:
        """The frame of this call."""
        bound = self._signature.bind(None, *args, **kwargs).arguments
        fields = {name: value for name, value in bound.items() if name != "self"}
        blob = fields.pop(self._blob, b"") if self._blob else b""
        return Frame(_json({"method": self.name, **fields}), blob)

    def arguments(self, question: BaseModel, blob: bytes) -> dict[str, Any]:
        """The arguments of a question that was read."""
        found = {name: getattr(question, name) for name in type(question).model_fields}
        del found["method"]
        return {**found, self._blob: blob} if self._blob else found

    def result(self, header: bytes, errors: dict[str, type[Exception]]) -> Any:
        """The value of an answer; raises the error it holds, or MalformedFrame."""
        try:
            answer = self._answer.validate_json(header)
        except ValidationError as error:
            raise MalformedFrame(f"answer to {self.name}: {error}") from error
        if isinstance(answer, _Failure):
            if kind := errors.get(answer.error):
                raise kind(answer.text)
            raise CallFailed(f"{answer.error}: {answer.text}")
        return answer.value


class Interface:
    """The public methods of an interface, and the errors that keep their type."""

    def __init__(self, interface: type, errors: tuple[type[Exception], ...]) -> None:
        names = [name for name in vars(interface) if not name.startswith("_")]
        self.calls = {name: Call(getattr(interface, name)) for name in names}
        self.errors = {error.__name__: error for error in errors}
        models: Any = Union[tuple(call.model for call in self.calls.values())]  # noqa: UP007
        self._question = TypeAdapter[Any](Annotated[models, Discriminator("method")])

    def answer(self, target: object, frame: Frame) -> Frame:
        """Make the call of a frame; whatever it raises becomes the answer."""
        try:
            question = self._question.validate_json(frame.header)
        except ValidationError as error:
            return self.failure(MalformedFrame(f"question: {error}"))
        call = self.calls[question.method]
        try:
            value = getattr(target, call.name)(**call.arguments(question, frame.blob))
            return Frame(_json({"value": value}))
        except Exception as error:
            if not isinstance(error, tuple(self.errors.values())):
                _log.exception("call failed", method=call.name)
            return self.failure(error)

    def failure(self, error: Exception) -> Frame:
        """The answer that raises an error in the parent, as the first kind that it is one of."""
        kinds = (name for name, kind in self.errors.items() if isinstance(error, kind))
        kind = next(kinds, type(error).__name__)
        return Frame(_json({"error": kind, "text": str(error)}))


def _default(parameter: inspect.Parameter) -> Any:
    return ... if parameter.default is inspect.Parameter.empty else parameter.default


def _json(value: object) -> bytes:
    return to_json(value, inf_nan_mode="constants")
