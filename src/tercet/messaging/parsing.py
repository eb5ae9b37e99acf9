"""Read a message from bytes, or say in one line what is wrong with it."""

from __future__ import annotations

from typing import TypeVar

from pydantic import ValidationError

from tercet.messaging.topology import LIVE
from tercet.process.errors import Unprocessable
from tercet.schemas import Message

M = TypeVar("M", bound=Message)


def parse(kind: type[M], body: bytes, subject: str | None = None) -> M:
    """Read a message; raises Unprocessable with a one-line reason that names the field.

    `subject` is where it came: rights are given by subject, so nobody may speak there for another.
    """
    try:
        message = kind.model_validate_json(body)
    except ValidationError as error:
        raise Unprocessable(f"{kind.__name__}: {fault(error, 'message')}") from error
    if subject is not None and message.subject != subject.removeprefix(LIVE):
        raise Unprocessable(f"{kind.__name__}: it belongs on {message.subject}")
    return message


def fault(error: ValidationError, whole: str) -> str:
    """In one line, which field is wrong first, and how; `whole` when it is no field's fault."""
    first = error.errors()[0]
    return f"{'.'.join(map(str, first['loc'])) or whole}: {first['msg']}"
