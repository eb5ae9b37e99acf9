"""Requests of applications on the request pipeline: run, reported, answered."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from uuid import uuid4

from tercet.models import manifest
from tercet.models.errors import AssetError, ModelError
from tercet.process import log
from tercet.schemas.outcome import Outcome
from tercet.services.gateway.application import Answer, AnswerStatus, ApplicationRequest, Infer
from tercet.services.gateway.http.families import Families, Family
from tercet.services.gateway.local_fallback import LocalFallback
from tercet.services.gateway.request_pipeline import RequestPipeline

_log = log.get(__name__)


def infer_with(pipeline: RequestPipeline, report: Callable[[Outcome], Awaitable[None]]) -> Infer:
    """Answer with this pipeline, and report each outcome."""

    async def infer(request: ApplicationRequest) -> Answer:
        start = time.perf_counter()
        if request.variant is not None:
            return _without_labels("failed", start, "which variant answers cannot be chosen")
        try:
            async with asyncio.timeout(request.deadline_ms / 1000):
                outcome = await pipeline.run(request.picture, None)
        except TimeoutError:
            reason = f"no answer within {request.deadline_ms:g} ms"
            return _without_labels("too-late", start, reason)
        except AssetError as error:
            return _without_labels("failed", start, str(error))
        await report(outcome)
        return answer_of(outcome)

    return infer


def answer_of(outcome: Outcome) -> Answer:
    """The answer that an outcome reports."""
    return Answer(
        request=outcome.id,
        status="ok",
        labels=outcome.labels,
        option=outcome.executed,
        node=outcome.node,
        decision=outcome.cause if outcome.assigned else None,
        window=None,
        network_ms=outcome.network_ms,
        queue_ms=outcome.queue_ms,
        compute_ms=outcome.compute_ms,
        response_ms=outcome.response_ms,
        retry_after_s=None,
        reason="",
    )


def _without_labels(status: AnswerStatus, start: float, reason: str) -> Answer:
    return Answer(
        request=uuid4(),
        status=status,
        labels=(),
        option=None,
        node=None,
        decision=None,
        window=None,
        network_ms=0.0,
        queue_ms=0.0,
        compute_ms=0.0,
        response_ms=(time.perf_counter() - start) * 1000,
        retry_after_s=None,
        reason=reason,
    )


def offered_families(name: str, models: Path | None, fallback: LocalFallback) -> Families:
    """The one family of this gateway, ready once the own node has reported its capability.

    Reads the model directory for its labels; without one, labels have no index. Blocking.
    """
    labels: tuple[str, ...] = ()
    variants: tuple[str, ...] = ()
    try:
        known = manifest.read(models or manifest.default_directory())
        variants = tuple(known.variants)
        labels = known.labels(variants[0]) if variants else ()
    except ModelError as error:
        _log.warning("labels have no index", reason=str(error))

    def families() -> tuple[Family, ...]:
        own = tuple(fallback.profile_ms)
        return (Family(name, own or variants, labels, ready=bool(own)),)

    return families
