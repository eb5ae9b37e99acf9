"""Try the places of a request one after the other, within its deadline and behind the breakers."""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from tercet.messaging.bus import Bus
from tercet.process import log
from tercet.process.errors import NoAnswer, Unprocessable
from tercet.schemas.classification import Classification
from tercet.schemas.outcome import Attempt
from tercet.schemas.window import AttemptResult
from tercet.services.gateway.answer_times import AnswerTimes
from tercet.services.gateway.circuit_breaker import CircuitBreaker
from tercet.services.gateway.concurrency_limit import ConcurrencyLimit
from tercet.services.gateway.places import Place

RESERVED = 1.5
"""An attempt leaves so many times its expected time to the next place."""
RESERVED_SHARE = 0.25
"""Share of the remaining time that it leaves to places of which nothing is expected yet."""
MIN_SHARE = 0.5
"""Share of the remaining time that an attempt has in any case."""

_log = log.get(__name__)


@dataclass
class Execution:
    """What has become of a request so far."""

    attempts: list[Attempt] = field(default_factory=list)
    answer: Classification | None = None
    blocked: set[str] = field(default_factory=set)
    """Nodes whose breaker let no request pass."""
    too_late: bool = False
    """Whether a place was not tried because its answer would have come too late."""
    reason: str = ""
    """Why the last attempt failed."""

    def enter(
        self,
        place: Place,
        result: AttemptResult,
        ms: float = 0.0,
        answer: Classification | None = None,
        reason: str = "",
    ) -> None:
        """Enter an attempt: with an answer, or with the reason why there is none."""
        option = str(place.option)
        self.attempts.append(Attempt(option=option, node=place.node, result=result, ms=ms))
        self.answer, self.reason = answer, reason

    @property
    def result(self) -> AttemptResult | None:
        """Of the last attempt; None without one."""
        return self.attempts[-1].result if self.attempts else None


class Attempts:
    """Sends pictures to nodes; one breaker per node for all requests of this gateway."""

    def __init__(
        self,
        bus: Bus,
        timeout_s: float,
        probe_interval_s: float,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """No attempt takes longer than `timeout_s`."""
        self._bus, self._timeout_s, self._clock = bus, timeout_s, clock
        self.breakers: dict[str, CircuitBreaker] = defaultdict(
            lambda: CircuitBreaker(probe_interval_s)
        )
        """Node to its breaker."""
        self._limits: dict[str, ConcurrencyLimit] = defaultdict(ConcurrencyLimit)
        self._times: dict[str, AnswerTimes] = defaultdict(AnswerTimes)

    @property
    def limited(self) -> bool:
        """Whether there is a node that does not take every request."""
        limits, breakers = self._limits.values(), self.breakers.values()
        return any(math.isfinite(x.limit) for x in limits) or any(x.is_open for x in breakers)

    async def run(
        self, picture: bytes, places: Sequence[Place], deadline: float, headers: dict[str, str]
    ) -> Execution:
        """Try the places in order until one answers; `deadline` is on the clock.

        A place is left out when its breaker is open, and, after the first attempt, when its answer
        is not expected before the deadline. At a node that is known to be overloaded an attempt
        fails at once. A place that was refused is no reason to send the picture to another one
        than the last, which is the device's own.
        """
        execution = Execution()
        for number, place in enumerate(places):
            remaining = deadline - self._clock()
            if remaining <= 0 or (execution.attempts and _expected_s(place) > remaining):
                execution.too_late = True
                continue
            if execution.result == "refused" and place.option.tier != "L":
                continue
            limit = min(self._timeout_s, _share(place, places[number + 1 :], remaining))
            await self._try(execution, place, picture, headers, limit)
            if execution.answer is not None:
                break
        return execution

    def refusal(self, nodes: Iterable[str], own: str) -> AttemptResult | None:
        """How a request would fail at once at every one of these nodes, None if one may answer.

        `overloaded`: one of them is. `no-responder`: the breakers of all are open, and no probe is
        due. The `own` node has a replacement in this process while its breaker is open.
        """
        now = self._clock()
        found: AttemptResult | None = None
        for node in nodes:
            breaker, limit = self.breakers.get(node), self._limits.get(node)
            if breaker is not None and breaker.is_open:
                if node == own or not breaker.blocks(now):
                    return None
                found = found or "no-responder"
                continue
            in_progress = breaker.in_progress if breaker else 0
            if limit is None or limit.permits(in_progress, now):
                return None
            found = "overloaded"
        return found

    def retry_after_s(self, nodes: Iterable[str]) -> float:
        """Seconds until one of these nodes is sent a probe, as far as is known."""
        now = self._clock()
        return min((self.breakers[node].retry_after_s(now) for node in nodes), default=0.0)

    async def _try(
        self,
        execution: Execution,
        place: Place,
        picture: bytes,
        headers: dict[str, str],
        limit_s: float,
    ) -> None:
        breaker, times = self.breakers[place.node], self._times[place.node]
        late_s = times.late_after_s(place)
        limit, began = self._limits[place.node], self._clock()
        if not breaker.is_open and not limit.permits(breaker.in_progress, began):
            execution.enter(place, "overloaded", reason="all nodes are overloaded")
            return
        number = breaker.begin(began, late_s)
        if number is None:
            execution.blocked.add(place.node)
            return
        limit.sent(began)
        try:
            answer, result, reason = await self._sent(place, picture, headers, limit_s)
        except BaseException:
            breaker.withdrawn(number)
            raise
        now = self._clock()
        if result == "no-responder":
            breaker.missing(number, now)
        elif result != "timed-out":
            breaker.answered(number, now)
        elif now - began >= min(late_s, self._timeout_s):
            breaker.failed(number, now, late_s)
        elif now - began >= _expected_s(place):
            breaker.cut_short(number)
        else:
            breaker.withdrawn(number)
        if answer is not None:
            times.add(place, now - began)
            limit.answered(answer.queue_ms, answer.compute_ms, now)
        elif result == "overloaded":
            limit.overloaded(now)
        execution.enter(place, result, (now - began) * 1000, answer, reason)

    async def _sent(
        self, place: Place, picture: bytes, headers: dict[str, str], limit_s: float
    ) -> tuple[Classification | None, AttemptResult, str]:
        """Send the picture; the answer, or None with the result and the reason."""
        subject = f"inference.v1.{place.node}"
        headers = {**headers, "Variant": place.option.variant}
        try:
            answer = await self._bus.request_raw(subject, picture, headers, Classification, limit_s)
        except NoAnswer as error:
            if error.timed_out:
                return None, "timed-out", str(error)
            return None, "overloaded" if error.responder else "no-responder", str(error)
        except Unprocessable as error:  # Too large for the broker or for the service.
            _log.error("picture not classified", node=place.node, reason=str(error))
            return None, "refused", str(error)
        if answer.status == "ok":
            return answer, "ok", ""
        return None, answer.status, answer.reason


def _expected_s(place: Place) -> float:
    return (place.expected_ms or 0.0) / 1000


def _share(place: Place, later: Sequence[Place], remaining_s: float) -> float:
    """Seconds of the remaining time for an attempt: some are left to the fastest place after it."""
    others = [other for other in later if other.node != place.node]
    if not others:
        return remaining_s
    known = [RESERVED * _expected_s(other) for other in others if other.expected_ms is not None]
    reserved = min(known, default=RESERVED_SHARE * remaining_s)
    return max(remaining_s - reserved, MIN_SHARE * remaining_s)
