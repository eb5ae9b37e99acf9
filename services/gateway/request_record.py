"""One request from its arrival to what is reported of it: outcome, result, answer."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from tercet.schemas.outcome import Attempt, Fallback, Outcome
from tercet.schemas.result import Result
from tercet.schemas.round import Round
from tercet.schemas.window import AttemptResult
from tercet.services.gateway.application import Answer, AnswerStatus, ApplicationRequest
from tercet.services.gateway.attempts import Execution
from tercet.services.gateway.boxes import in_original
from tercet.services.gateway.places import ExecutionPlan
from tercet.services.gateway.window_in_force import Moment

LONGEST_MS = 86_400_000.0
"""A deadline that is further away is reported as a day."""

REASONS: dict[AttemptResult, Fallback] = {
    "overloaded": "overloaded",
    "refused": "refused",
    "timed-out": "no-responder",
    "no-responder": "no-responder",
}
"""Result of a failed attempt to the reason of the fallback after it."""


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """What is known when a request arrives."""

    request: ApplicationRequest
    identity: UUID
    device: str
    arrived_at: datetime
    start: float
    """When it arrived, on the clock of durations."""
    moment: Moment
    """The window in force then."""
    opened: Round | None

    def outcome(self, planned: ExecutionPlan, execution: Execution, ended: Moment) -> Outcome:
        """Return the outcome of a request that was tried at least once."""
        now, decision, opened = time.perf_counter(), planned.decision, self.opened
        executed, response_ms = execution.attempts[-1], (now - self.start) * 1000
        cause = decision or opened
        return Outcome(
            id=uuid5(self.identity, Outcome.SUBJECT),
            cause=cause.id if cause else None,
            device=self.device,
            family=planned.family,
            source=readable(self.request.source, 128),
            frame=None if self.request.frame is None else readable(self.request.frame, 256),
            arrived_at=self.arrived_at,
            request=self.identity,
            node=executed.node,
            assigned=decision.option if decision else None,
            executed=executed.option,
            fallback=fallback(planned, execution),
            response_ms=response_ms,
            attempts=_listed(planned, execution),
            round=opened.number if opened else None,
            round_id=opened.id if opened else None,
            window=self.moment.window,
            straddled=straddled(self.moment, ended),
            deadline_ms=None if opened else min(self.request.deadline_ms, LONGEST_MS),
            **_of_answer(execution, response_ms),
        )

    def result(self, outcome: Outcome, execution: Execution) -> Result:
        """Return the result of a request that was answered."""
        same = ("device", "source", "frame", "labels", "node", "window", "response_ms")
        parts = ("network_ms", "queue_ms", "compute_ms")
        boxes, picture = in_original(execution.answer, self.request.original)
        return Result(
            id=uuid5(self.identity, Result.SUBJECT),
            cause=outcome.id,
            family=outcome.family or None,
            request=self.identity,
            arrived_at=self.arrived_at,
            option=outcome.executed,
            decision=outcome.cause if outcome.assigned else None,
            boxes=boxes,
            picture=picture,
            **{name: getattr(outcome, name) for name in (*same, *parts)},
        )

    def answered(self, outcome: Outcome, execution: Execution) -> Answer:
        """Return the answer of a request that was answered."""
        boxes, picture = in_original(execution.answer, self.request.original)
        return Answer(
            request=self.identity,
            status="ok",
            labels=outcome.labels,
            option=outcome.executed,
            node=outcome.node,
            decision=outcome.cause if outcome.assigned else None,
            window=outcome.window,
            network_ms=outcome.network_ms,
            queue_ms=outcome.queue_ms,
            compute_ms=outcome.compute_ms,
            response_ms=outcome.response_ms,
            retry_after_s=None,
            reason="",
            boxes=boxes,
            picture=picture,
            tensors=execution.answer.tensors if execution.answer else (),
        )

    def unanswered(
        self, status: AnswerStatus, reason: str, retry_after_s: float | None = None
    ) -> Answer:
        """Return the answer of a request that has no labels."""
        return Answer(
            request=self.identity,
            status=status,
            labels=(),
            option=None,
            node=None,
            decision=None,
            window=self.moment.window,
            network_ms=0.0,
            queue_ms=0.0,
            compute_ms=0.0,
            response_ms=(time.perf_counter() - self.start) * 1000,
            retry_after_s=retry_after_s,
            reason=reason,
        )


def fallback(planned: ExecutionPlan, execution: Execution) -> Fallback:
    """Why a request did not run as decided; `none` if it did."""
    failed = [a for a in execution.attempts if a.result != "ok"]
    if failed:
        return REASONS[failed[-1].result]
    if execution.blocked:  # The breaker of the node decided on is open: it does not answer.
        return "no-responder"
    return planned.fallback


def readable(name: str, length: int) -> str:
    """Return a name that fits into a message: names of files may hold bytes that are no text."""
    return name.encode("utf-8", "replace").decode("utf-8")[:length]


def straddled(began: Moment, ended: Moment) -> bool:
    """Whether the assignment changed while a request was in progress."""
    both = began.assignment is not None and ended.assignment is not None
    return both and began.assignment != ended.assignment


def _listed(planned: ExecutionPlan, execution: Execution) -> tuple[Attempt, ...]:
    """The attempts; none where the first place answered at once, which needs no list."""
    first = planned.places[0]
    made = [(a.option, a.node, a.result) for a in execution.attempts]
    if made == [(str(first.option), first.node, "ok")] and not execution.blocked:
        return ()
    return tuple(execution.attempts)


def _of_answer(execution: Execution, response_ms: float) -> dict[str, Any]:
    """Parts and labels of an answer; the network's part includes failed attempts."""
    answer = execution.answer
    if answer is None:
        return {}
    service_ms = answer.queue_ms + answer.compute_ms
    return {
        "network_ms": max(response_ms - service_ms, 0.0),
        "queue_ms": answer.queue_ms,
        "compute_ms": answer.compute_ms,
        "labels": answer.labels,
        "emulated": answer.emulated,
        "late": answer.late,
    }
