"""From a picture to its answer, many at once: decision, attempts, outcome and result."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import replace
from uuid import uuid4, uuid5

from tercet.messaging.bus import Bus
from tercet.process import metrics, tracing
from tercet.schemas import clock as wall
from tercet.schemas.decision import Decision
from tercet.schemas.outcome import Outcome
from tercet.schemas.result import Result
from tercet.schemas.round import Round
from tercet.services.gateway.application import Answer, ApplicationRequest, Full
from tercet.services.gateway.attempts import Attempts, Execution
from tercet.services.gateway.decision_in_force import DecisionInForce
from tercet.services.gateway.family_decisions import decision_for
from tercet.services.gateway.local_fallback import LocalFallback
from tercet.services.gateway.local_inference import LocalInference
from tercet.services.gateway.places import ExecutionPlan, plan
from tercet.services.gateway.refused_requests import RefusedRequests
from tercet.services.gateway.request_record import RequestRecord
from tercet.services.gateway.settings import GatewaySettings
from tercet.services.gateway.window_in_force import WindowInForce

RETRY_AFTER_S = 0.5
"""When to ask again after an overload, at least."""

Report = Callable[[Outcome, Result | None], None]
"""Takes the outcome of a request, and its result if it was answered; does not wait."""


class RequestPipeline:
    """Runs requests of applications and of rounds; at most `settings.requests` at once."""

    def __init__(
        self,
        bus: Bus,
        settings: GatewaySettings,
        decisions: DecisionInForce,
        local: LocalFallback,
        local_inference: LocalInference,
        report: Report,
        windows: WindowInForce | None = None,
        refused: RefusedRequests | None = None,
    ) -> None:
        self._bus, self._settings, self._report = bus, settings, report
        self._decisions, self._local, self._local_inference = decisions, local, local_inference
        self._windows = windows or WindowInForce()
        self._refused = refused or RefusedRequests(settings.node)
        self._attempts = Attempts(bus, settings.inference_timeout, settings.probe_interval)
        self._last: Decision | None = None
        self._plans: dict[tuple[str | None, str | None], ExecutionPlan] = {}
        """Family and variant to the plan for them..."""
        self._plans_of = tuple[object, ...]()
        """...and what these follow from."""
        self._in_progress = 0
        self._secret = str(uuid4())
        """Part of the request id of a round, which derives from the round's id. All devices receive
        that id: a sender that could derive this device's ids could publish its outcome first, and
        the stream would drop the true one as a duplicate."""

    async def infer(self, request: ApplicationRequest, opened: Round | None = None) -> Answer:
        """Answer one request; in a round, `opened`, at most once."""
        start, arrived_at = time.perf_counter(), wall.now()
        identity = uuid4() if opened is None else uuid5(opened.id, self._secret)
        record = RequestRecord(
            request, identity, self._settings.node, arrived_at, start, self._windows.now(), opened
        )
        if self._in_progress >= self._settings.requests:
            self.refused(request.deadline_ms)
            return record.unanswered("overloaded", self._busy(), RETRY_AFTER_S)
        self._in_progress += 1
        try:
            with tracing.span("request"):
                answer = await self._answer(record)
            metrics.ANSWERS.labels(answer.status).inc()
            return answer
        finally:
            self._in_progress -= 1

    def full(self) -> Full | None:
        """Why a request that comes now is refused at once, before its picture is received; it is
        counted as refused. None if it may be answered.
        """
        if self._in_progress >= self._settings.requests:
            self.refused()
            return Full(self._busy(), RETRY_AFTER_S)
        if not self._attempts.limited or self._bus.disconnected:
            return None
        planned = self._planned()
        nodes = {place.node for place in planned.places}
        known = self._attempts.refusal(nodes, self._settings.node)
        if known is None:
            return None
        metrics.ANSWERS.labels("overloaded").inc()
        overloaded = known == "overloaded"
        self._refused.add(planned, self._windows.now(), None, begun=overloaded)
        if overloaded:
            return Full("all nodes are overloaded", RETRY_AFTER_S)
        return Full("no node answers", self._retry_after_s(nodes))

    def refused(self, deadline_ms: float | None = None) -> None:
        """Count a request that this gateway has no room for."""
        metrics.ANSWERS.labels("overloaded").inc()
        planned = self._planned()
        self._refused.add(planned, self._windows.now(), deadline_ms, begun=False)

    def _busy(self) -> str:
        return f"{self._in_progress} requests are in progress"

    def node_started(self, node: str) -> None:
        """A node has announced itself: it need not be probed."""
        self._attempts.breakers.pop(node, None)

    async def _answer(self, record: RequestRecord) -> Answer:
        request = record.request
        planned = self._planned(request.family, request.variant)
        if not planned.places:
            return record.unanswered("failed", "no place can run it, or none is allowed to")
        deadline = record.start + request.deadline_ms / 1000
        execution = await self._tried(request.picture, planned, deadline)
        if execution.answer is None:
            await self._last_resort(execution, request.picture, planned, deadline)
        return self._finished(record, planned, execution)

    def _planned(self, family: str | None = None, variant: str | None = None) -> ExecutionPlan:
        """The places for a request; computed anew when something that they follow from changed."""
        decision, local = self._decision(), self._local
        known = local.profile_ms, local.accuracy_pct, local.allowed, local.goal, local.families
        facts = (decision, *known)
        if facts != self._plans_of:
            self._plans, self._plans_of = {}, facts
        if (family, variant) not in self._plans:
            self._plans[family, variant] = self._plan_for(decision, family, variant)
        return self._plans[family, variant]

    def _plan_for(
        self, decision: Decision | None, family: str | None, variant: str | None
    ) -> ExecutionPlan:
        own = decision_for(decision, family)
        if decision is None or not decision.family:
            return plan(own, self._local.of(family, None), variant)
        name = own.family if own else family or ""
        found = plan(own, self._local.of(name, own.goal if own else None), variant)
        return replace(found, family=name)

    def _decision(self) -> Decision | None:
        """The decision in force; its goal is that of the local fallback, too."""
        decision = self._decisions.current
        if decision is not None and decision is not self._last:
            self._last = decision
            if not decision.family:
                self._local.set_goal(decision.goal)
        return decision

    async def _tried(self, picture: bytes, planned: ExecutionPlan, deadline: float) -> Execution:
        """Try the places on the bus, unless the broker cannot be reached."""
        if self._bus.disconnected or len(picture) > self._bus.client.max_payload:
            return Execution(blocked={place.node for place in planned.places})
        decision = planned.decision
        headers = {"Cause": str(decision.id)} if decision else {}
        return await self._attempts.run(picture, planned.places, deadline, headers)

    async def _last_resort(
        self, execution: Execution, picture: bytes, planned: ExecutionPlan, deadline: float
    ) -> None:
        """Run the model in this process where this device's own service does not answer."""
        local = self._settings.node
        own = next((p for p in planned.places if p.node == local), None)
        silent = local in execution.blocked or any(
            a.node == local and a.result in ("no-responder", "timed-out")
            for a in execution.attempts
        )
        if own is None or not silent:
            return
        if self._local_inference.ends_at(own) > deadline:
            execution.too_late = True
            return
        await self._local_inference.run(execution, own, picture)

    def _finished(
        self, record: RequestRecord, planned: ExecutionPlan, execution: Execution
    ) -> Answer:
        """Report what has become of a request, and return it."""
        if not execution.attempts:
            if record.opened is None:
                deadline_ms = record.request.deadline_ms
                self._refused.add(planned, record.moment, deadline_ms, begun=False)
            return self._not_begun(record, execution)
        if execution.result == "refused":  # It is the picture: that says nothing about the places.
            return record.unanswered("failed", execution.reason or "the picture is refused")
        outcome = record.outcome(planned, execution, self._windows.now())
        metrics.REQUESTS.labels(outcome.executed[-1], outcome.fallback).inc()
        if execution.answer is None:
            self._report(outcome, None)
            return self._not_answered(record, execution)
        metrics.RESPONSE.labels(outcome.executed[-1]).observe(outcome.response_ms / 1000)
        self._report(outcome, record.result(outcome, execution))
        return record.answered(outcome, execution)

    def _not_begun(self, record: RequestRecord, execution: Execution) -> Answer:
        """Return the answer of a request that was sent nowhere."""
        if execution.too_late:
            return record.unanswered("too-late", "no place is expected to answer in time")
        return record.unanswered(
            "overloaded", "no node answers", self._retry_after_s(execution.blocked)
        )

    def _not_answered(self, record: RequestRecord, execution: Execution) -> Answer:
        """Return the answer of a request that was tried in vain."""
        if execution.result == "timed-out":
            return record.unanswered("too-late", execution.reason)
        wait_s = self._retry_after_s(execution.blocked)
        return record.unanswered("overloaded", execution.reason, wait_s)

    def _retry_after_s(self, blocked: Collection[str]) -> float:
        return max(self._attempts.retry_after_s(blocked), RETRY_AFTER_S)
