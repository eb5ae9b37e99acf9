"""The journey of one request: decision, picture, labels, outcome; it always ends in time."""

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
from tercet.rl.platform import Option
from tercet.schemas.classification import Classification
from tercet.schemas.decision import Decision
from tercet.schemas.fleet import Label
from tercet.schemas.outcome import Fallback, Outcome
from tercet.schemas.request import Request
from tercet.schemas.round import Round
from tercet.services.gateway.local_fallback import LocalFallback
from tercet.services.gateway.settings import GatewaySettings

_log = log.get(__name__)


@dataclass(frozen=True)
class Plan:
    """What is to be done, and whether it was decided or fallen back on."""

    option: Option
    node: str
    decision: Decision | None
    fallback: Fallback


@dataclass(frozen=True)
class Result:
    """What was done in the end."""

    option: Option
    node: str
    answer: Classification
    fallback: Fallback


class RequestPipeline:
    """Takes one picture at a time through the system."""

    def __init__(
        self,
        bus: Bus,
        settings: GatewaySettings,
        knowledge: LocalFallback,
        own: Callable[[], Classifier],
    ) -> None:
        """`own` yields a classifier in this process, for when no service answers."""
        self._bus, self._settings, self._knowledge, self._own = bus, settings, knowledge, own
        self._secret = str(uuid4())
        """Ids follow from the round's, which all devices hear: whoever could derive this device's
        could say its outcome first, and streams would take the true one for said before."""

    async def take(self, jpeg: bytes, opened: Round | None) -> Outcome:
        """Make one request from start to end. The clock starts when the decision is asked for."""
        request = self._request(opened)
        start = time.perf_counter()
        told = await self._ask(request)
        decided = time.perf_counter()
        done = await self._run(jpeg, told)
        end = time.perf_counter()
        inside = done.answer.queue_ms + done.answer.compute_ms
        return Outcome.because(
            told.decision or request,
            device=self._settings.node,
            node=done.node,
            assigned=str(told.decision.option) if told.decision else None,
            executed=str(done.option),
            fallback=done.fallback,
            response_ms=(end - start) * 1000,
            decision_ms=(decided - start) * 1000,
            network_ms=max((end - decided) * 1000 - inside, 0.0),
            queue_ms=done.answer.queue_ms,
            compute_ms=done.answer.compute_ms,
            round=opened.number if opened else None,
            round_id=opened.id if opened else None,
            labels=done.answer.labels,
            emulated=done.answer.emulated,
            late=done.answer.late,
        )

    def _request(self, opened: Round | None) -> Request:
        device = self._settings.node
        if opened is None:
            return Request(device=device)
        return Request.because(opened, key=self._secret, device=device, round_id=opened.id)

    async def _ask(self, request: Request) -> Plan:
        """Get a decision, or what stands in for one."""
        try:
            decision = await self._bus.request(request, Decision, self._settings.decision_timeout)
            option = Option.parse(decision.option)
            known = self._knowledge.profile_ms
            if option.tier == "L" and known and option.variant not in known:
                raise Unprocessable(f"decision: option: unknown variant {option.variant}")
        except NoAnswer as error:
            _log.info("no decision", reason=str(error))
            return Plan(*self._knowledge.without_decision(), None, "no-decision")
        except Unprocessable as error:
            _log.error("bad decision", reason=str(error))
            return Plan(*self._knowledge.without_decision(), None, "bad-decision")
        node = self._settings.node if option.tier == "L" else decision.node
        self._knowledge.last = (option, node)
        self._knowledge.heed_goal(decision.goal)
        return Plan(option, node, decision, "none")

    async def _run(self, jpeg: bytes, told: Plan) -> Result:
        """Have it run where it was decided; failing that on this node; failing that right here."""
        attempts: list[tuple[Option, str]] = [(told.option, told.node)]
        if told.node != self._settings.node:
            attempts.append(self._knowledge.alone())
        fallback = told.fallback
        for option, node in attempts:
            answer, trouble = await self._classify(jpeg, option, node, told.decision)
            if answer is not None:
                return Result(option, node, answer, fallback)
            fallback = trouble
        option, node = attempts[-1]
        return Result(option, node, await self._here(jpeg, option), fallback)

    async def _classify(
        self, jpeg: bytes, option: Option, node: str, decision: Decision | None
    ) -> tuple[Classification | None, Fallback]:
        try:
            answer = await self._bus.request_raw(
                f"inference.v1.{node}",
                jpeg,
                {"Variant": option.variant, **({"Cause": str(decision.id)} if decision else {})},
                Classification,
                self._settings.inference_timeout,
            )
        except NoAnswer:
            return None, "no-responder"
        except Unprocessable as error:  # Too large for the broker, or for the service.
            _log.error("not classified", node=node, reason=str(error))
            return None, "refused"
        if answer.status == "ok":
            return answer, "none"
        return None, "overloaded" if answer.status == "overloaded" else "refused"

    async def _here(self, jpeg: bytes, option: Option) -> Classification:
        """Run it in this process; the models are loaded the first time."""
        classifier = await asyncio.to_thread(self._own)
        seen = await asyncio.to_thread(partial(classifier.classify, jpeg, option.variant))
        return Classification(
            node=self._settings.node,
            status="ok",
            variant=option.variant,
            labels=tuple(Label(name=name, probability=p) for name, p in seen.labels),
            compute_ms=seen.compute_ms,
            emulated=seen.emulated,
            late=seen.late,
        )
