"""A picture that comes as the file of a form (multipart/form-data)."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from python_multipart.multipart import parse_options_header
from starlette.datastructures import UploadFile
from starlette.requests import Request

from tercet.services.gateway.http.refusal import Refused

MAX_FIELDS = 16
MAX_FIELD_BYTES = 16 * 1024
MAX_EPILOGUE_BYTES = 1024
"""What may follow the last boundary."""

# It would log a line about every malformed form, and those are the client's matter.
logging.getLogger("python_multipart").setLevel(logging.ERROR)


@dataclass(frozen=True, slots=True)
class PictureForm:
    """What a form held."""

    picture: bytes
    fields: dict[str, str]


def is_form(request: Request) -> bool:
    """Whether the body is a form with files."""
    return request.headers.get("content-type", "").lower().startswith("multipart/form-data")


async def picture_form(request: Request) -> PictureForm:
    """Read the form; raises Refused with 400 or 415 unless it has one file named `image`."""
    if not is_form(request):
        given = request.headers.get("content-type", "none")
        raise Refused(415, f"Content-Type: multipart/form-data is expected, not {given}")
    await _check_complete(request)
    form = request.form(max_files=1, max_fields=MAX_FIELDS, max_part_size=MAX_FIELD_BYTES)
    async with form as items:
        image = items.get("image")
        if not isinstance(image, UploadFile):
            raise Refused(400, "the form has no file named image")
        fields = {key: value for key, value in items.items() if isinstance(value, str)}
        return PictureForm(await image.read(), fields)


async def _check_complete(request: Request) -> None:
    """Refuse a form that is cut off: the parser would leave its last file open."""
    _, options = parse_options_header(request.headers["content-type"])
    boundary = options.get(b"boundary")
    if not boundary:
        raise Refused(400, "Content-Type: multipart/form-data has no boundary")
    end = b"--" + boundary + b"--"
    if end not in (await request.body())[-len(end) - MAX_EPILOGUE_BYTES :]:
        raise Refused(400, "the form is cut off: its last boundary is missing")
