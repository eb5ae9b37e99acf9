"""One request from a route to its answer: the picture is checked, then it is inferred."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace

from tercet.models import images
from tercet.models.errors import ImageError
from tercet.services.gateway.application import Answer, ApplicationRequest, Infer
from tercet.services.gateway.http.access_control import Tokens
from tercet.services.gateway.http.admission import Admission
from tercet.services.gateway.http.families import Families
from tercet.services.gateway.http.refusal import Refused

STATUS_CODES = {"overloaded": 503, "too-late": 504, "failed": 422}
"""Of an answer without labels; HTTP status."""
RETRY_AFTER_S = 1.0
"""Where an overloaded system does not say."""


@dataclass(frozen=True)
class Front:
    """What all routes share."""

    infer: Infer
    families: Families
    admission: Admission
    tokens: Tokens
    _encoding: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(1))
    """Large pictures are encoded again one at a time: each takes up to 100 MB while it is."""

    async def answer(self, request: ApplicationRequest) -> Answer:
        """Answer a request with labels or boxes, or raise Refused."""
        with self.admission.admitted():
            answer = await self.infer(await self._checked(request))
        if answer.status == "ok":
            return answer
        retry_after_s = answer.retry_after_s
        if answer.status == "overloaded" and retry_after_s is None:
            retry_after_s = RETRY_AFTER_S
        reason = answer.reason or answer.status
        raise Refused(STATUS_CODES[answer.status], reason, retry_after_s)

    async def _checked(self, request: ApplicationRequest) -> ApplicationRequest:
        """The same with a picture that can be sent; Refused with 400 when it is none."""
        if not request.is_picture:
            return request
        try:
            if len(request.picture) <= images.MAX_BYTES:
                images.check(request.picture)
                return request
            async with self._encoding:
                size = images.upright_size(request.picture)
                smaller = await asyncio.to_thread(images.sendable, request.picture)
        except ImageError as error:
            raise Refused(400, str(error)) from error
        return replace(request, picture=smaller, original=size)
