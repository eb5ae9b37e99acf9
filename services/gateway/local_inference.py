"""The last resort: run a model in the gateway's own process, one picture at a time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from functools import partial

from tercet.models.answer_fields import answer_fields
from tercet.models.classifier import Classifier
from tercet.models.errors import AssetError
from tercet.schemas.classification import Classification
from tercet.schemas.window import AttemptResult
from tercet.services.gateway.attempts import Execution
from tercet.services.gateway.places import Place


class LocalInference:
    """For when no service answers; models are loaded when the first picture needs one."""

    def __init__(
        self,
        classifier: Callable[[], Classifier],
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._classifier, self._clock = classifier, clock
        self._turn = asyncio.Lock()
        self._pending = 0
        """Pictures that run or wait."""

    def ends_at(self, place: Place) -> float:
        """When a picture that comes now is expected to be done, on the clock."""
        return self._clock() + (self._pending + 1) * (place.expected_ms or 0.0) / 1000

    async def run(self, execution: Execution, place: Place, picture: bytes) -> None:
        """Classify, and enter the attempt: answered, or refused."""
        began, answer, reason = self._clock(), None, ""
        self._pending += 1
        try:
            async with self._turn:
                queue_ms = (self._clock() - began) * 1000
                answer = await self._classified(place, picture, queue_ms)
        except (AssetError, ValueError) as error:
            reason = str(error)
        finally:
            self._pending -= 1
        result: AttemptResult = "ok" if answer else "refused"
        execution.enter(place, result, (self._clock() - began) * 1000, answer, reason)

    async def _classified(self, place: Place, picture: bytes, queue_ms: float) -> Classification:
        variant = place.option.variant
        classifier = await asyncio.to_thread(self._classifier)
        await asyncio.to_thread(classifier.reload)
        found = await asyncio.to_thread(partial(classifier.classify, picture, variant))
        return Classification.model_validate(
            {
                "node": place.node,
                "status": "ok",
                "variant": variant,
                "queue_ms": queue_ms,
                **answer_fields(found),
            }
        )
