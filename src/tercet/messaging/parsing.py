"""Parse a message from bytes, or report in one line which field is wrong."""

from __future__ import annotations

from typing import TypeVar

from pydantic import ValidationError

from tercet.messaging.topology import LIVE
from tercet.process.errors import Unprocessable
from tercet.schemas import Message

M = TypeVar("M", bound=Message)


def parse(kind: type[M], body: bytes, subject: str | None = None) -> M:
    """Parse a message; raises Unprocessable with a one-line reason that names the field.

    `subject` is where it was received. Permissions are granted by subject, so it must match the
    subject that follows from the message's fields. On the subject of the former version, a message
    of that version is read and translated.
    """
    former = kind.FORMER
    try:
        if former is not None and subject is not None and _is_of(former, subject):
            return kind.from_former(parse(former, body, subject))
        message = kind.model_validate_json(body)
    except ValidationError as error:
        raise Unprocessable(f"{kind.__name__}: {first_error(error, 'message')}") from error
    if subject is not None and message.subject != subject.removeprefix(LIVE):
        raise Unprocessable(f"{kind.__name__}: it belongs on {message.subject}")
    return message


def _is_of(kind: type[Message], subject: str) -> bool:
    """Whether a subject is one of a kind's."""
    pattern, tokens = kind.pattern().split("."), subject.removeprefix(LIVE).split(".")
    same = [p in ("*", t) for p, t in zip(pattern, tokens, strict=False)]
    return len(pattern) == len(tokens) and all(same)


def first_error(error: ValidationError, whole: str) -> str:
    """Return in one line the first wrong field and its error; `whole` names the message itself."""
    first = error.errors()[0]
    return f"{'.'.join(map(str, first['loc'])) or whole}: {first['msg']}"
