"""One request from decision to outcome: every step has a time limit and a fallback."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from uuid import uuid4

from tercet.messaging.bus import Bus
from tercet.models.classifier import Classifier
from tercet.process import log
from tercet.process.errors import NoAnswer, Unprocessable
from tercet.rl.options import Option
from tercet.schemas.classification import Classification
from tercet.schemas.decision import Decision
from tercet.schemas.fleet import Label
from tercet.schemas.outcome import Attempt, Fallback, Outcome
from tercet.schemas.request import Request
from tercet.schemas.round import Round
from tercet.schemas.window import AttemptResult
from tercet.services.gateway.local_fallback import LocalFallback
from tercet.services.gateway.settings import GatewaySettings

_log = log.get(__name__)


@dataclass(frozen=True)
class ExecutionPlan:
    """Where to run a request, and whether that is a decision or a fallback."""

    option: Option
    node: str
    decision: Decision | None
    fallback: Fallback


@dataclass(frozen=True)
class ExecutionResult:
    """Where a request has run, and the answer."""

    option: Option
    node: str
    answer: Classification
    fallback: Fallback
    attempts: tuple[Attempt, ...] = ()
    """Failed ones and the one that succeeded; empty where the first did."""


class RequestPipeline:
    """Makes one request at a time."""

    def __init__(
        self,
        bus: Bus,
        settings: GatewaySettings,
        fallback: LocalFallback,
        local_classifier: Callable[[], Classifier],
    ) -> None:
        """`local_classifier` gives a classifier in this process, for when no service answers."""
        self._bus, self._settings = bus, settings
        self._fallback, self._local_classifier = fallback, local_classifier
        self._secret = str(uuid4())
        """Part of the request id, which derives from the round's id. All devices receive that id:
        a sender that could derive this device's ids could publish its outcome first, and the
        stream would drop the true one as a duplicate."""

    async def run(self, jpeg: bytes, opened: Round | None) -> Outcome:
        """Make one request. The clock starts when the decision is requested."""
        request = self._request(opened)
        start = time.perf_counter()
        plan = await self._plan(request)
        decided = time.perf_counter()
        result = await self._execute(jpeg, plan)
        end = time.perf_counter()
        service_ms = result.answer.queue_ms + result.answer.compute_ms
        return Outcome.caused_by(
            plan.decision or request,
            device=self._settings.node,
            node=result.node,
            assigned=str(plan.decision.option) if plan.decision else None,
            executed=str(result.option),
            fallback=result.fallback,
            response_ms=(end - start) * 1000,
            decision_ms=(decided - start) * 1000,
            network_ms=max((end - decided) * 1000 - service_ms, 0.0),
            queue_ms=result.answer.queue_ms,
            compute_ms=result.answer.compute_ms,
            round=opened.number if opened else None,
            round_id=opened.id if opened else None,
            attempts=result.attempts,
            labels=result.answer.labels,
            emulated=result.answer.emulated,
            late=result.answer.late,
        )

    def _request(self, opened: Round | None) -> Request:
        device = self._settings.node
        if opened is None:
            return Request(device=device)
        return Request.caused_by(opened, key=self._secret, device=device, round_id=opened.id)

    async def _plan(self, request: Request) -> ExecutionPlan:
        """Request a decision; without one, use the local fallback."""
        try:
            decision = await self._bus.request(request, Decision, self._settings.decision_timeout)
            option = Option.parse(decision.option)
            local = self._fallback.profile_ms
            if option.tier == "L" and local and option.variant not in local:
                raise Unprocessable(f"decision: option: unknown variant {option.variant}")
        except NoAnswer as error:
            _log.info("no decision: local fallback", reason=str(error))
            return ExecutionPlan(*self._fallback.choose(), None, "no-decision")
        except Unprocessable as error:
            _log.error("bad decision", reason=str(error))
            return ExecutionPlan(*self._fallback.choose(), None, "bad-decision")
        node = self._settings.node if option.tier == "L" else decision.node
        self._fallback.last_decision = (option, node)
        self._fallback.set_goal(decision.goal)
        return ExecutionPlan(option, node, decision, "none")

    async def _execute(self, jpeg: bytes, plan: ExecutionPlan) -> ExecutionResult:
        """Try the planned node, then this device's own node, then this process."""
        places: list[tuple[Option, str]] = [(plan.option, plan.node)]
        if plan.node != self._settings.node:
            places.append(self._fallback.choose_local())
        fallback, tried = plan.fallback, list[Attempt]()
        for option, node in places:
            began = time.perf_counter()
            answer, failure, result = await self._classify(jpeg, option, node, plan.decision)
            tried.append(_attempt(option, node, result, began))
            if answer is not None:
                break
            fallback = failure
        else:
            option, node = places[-1]
            began = time.perf_counter()
            answer = await self._classify_locally(jpeg, option)
            tried.append(_attempt(option, node, "ok", began))
        attempts = tuple(tried) if len(tried) > 1 else ()
        return ExecutionResult(option, node, answer, fallback, attempts)

    async def _classify(
        self, jpeg: bytes, option: Option, node: str, decision: Decision | None
    ) -> tuple[Classification | None, Fallback, AttemptResult]:
        """The answer, or None with the reason of the fallback and the result of the attempt."""
        try:
            answer = await self._bus.request_raw(
                f"inference.v1.{node}",
                jpeg,
                {"Variant": option.variant, **({"Cause": str(decision.id)} if decision else {})},
                Classification,
                self._settings.inference_timeout,
            )
        except NoAnswer as error:
            if error.timed_out:
                return None, "no-responder", "timed-out"
            return None, "no-responder", "overloaded" if error.responder else "no-responder"
        except Unprocessable as error:  # Too large for the broker or for the service.
            _log.error("picture not classified", node=node, reason=str(error))
            return None, "refused", "refused"
        if answer.status == "ok":
            return answer, "none", "ok"
        if answer.status == "overloaded":
            return None, "overloaded", "overloaded"
        return None, "refused", "refused"

    async def _classify_locally(self, jpeg: bytes, option: Option) -> Classification:
        """Classify in this process; the first call loads the models."""
        classifier = await asyncio.to_thread(self._local_classifier)
        classified = await asyncio.to_thread(partial(classifier.classify, jpeg, option.variant))
        return Classification(
            node=self._settings.node,
            status="ok",
            variant=option.variant,
            labels=tuple(Label(name=name, probability=p) for name, p in classified.labels),
            compute_ms=classified.compute_ms,
            emulated=classified.emulated,
            late=classified.late,
        )


def _attempt(option: Option, node: str, result: AttemptResult, began: float) -> Attempt:
    """An attempt that ends now; `began` is by the same clock."""
    elapsed_ms = (time.perf_counter() - began) * 1000
    return Attempt(option=str(option), node=node, result=result, ms=elapsed_ms)
