"""A node that hangs costs few requests, whatever the order in which they are made and end."""

from __future__ import annotations

import heapq
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from tercet.services.gateway.circuit_breaker import CircuitBreaker

LATE_S, TIMEOUT_S, INTERVAL_S = 0.2, 2.0, 5.0


def simulate(arrivals: list[float], service_s: float, hangs: float, works: float) -> list[float]:
    """Send requests to a node that hangs from `hangs` until `works`; when the lost were sent."""
    breaker, lost = CircuitBreaker(INTERVAL_S), list[float]()
    ends: list[tuple[float, int, bool]] = []

    def advance(now: float) -> None:
        while ends and ends[0][0] <= now:
            at, number, answered = heapq.heappop(ends)
            if answered:
                breaker.answered(number, at)
            else:
                breaker.failed(number, at, LATE_S)

    for now in sorted(arrivals):
        advance(now)
        number = breaker.begin(now, LATE_S)
        if number is None:
            continue
        answered = not hangs <= now + service_s < works
        heapq.heappush(ends, (now + (service_s if answered else TIMEOUT_S), number, answered))
        if not answered:
            lost.append(now)
    return lost


@given(
    arrivals=st.lists(st.floats(0, 60), min_size=1, max_size=300),
    service_s=st.floats(0.001, 0.15),
    hangs=st.floats(0, 20),
    seconds=st.floats(1, 40),
)
def test_a_hung_node_costs_what_was_in_progress_and_one_request_per_interval(
    arrivals: list[float], service_s: float, hangs: float, seconds: float
) -> None:
    lost = simulate(arrivals, service_s, hangs, hangs + seconds)
    if not lost:
        return
    before = [at for at in lost if at + service_s >= hangs and at < hangs]
    until_late = [at for at in lost if hangs <= at <= min(lost) + LATE_S + service_s]
    assert len(lost) <= len(before) + len(until_late) + 1 + seconds / INTERVAL_S
    first = min(lost)
    later = [at for at in lost if at > first + LATE_S + service_s]
    assert all(b - a >= INTERVAL_S - 1e-9 for a, b in pairwise(later))


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), max_size=100))
def test_while_it_is_open_there_is_one_probe_per_interval(steps: list[tuple[float, bool]]) -> None:
    breaker, now, sent = CircuitBreaker(INTERVAL_S), 0.0, list[float]()
    breaker.failed(breaker.begin(now, LATE_S) or 0, now)
    for pause, abandoned in steps:
        now += pause
        number = breaker.begin(now, LATE_S)
        if number is not None:
            sent.append(now)
            breaker.withdrawn(number) if abandoned else breaker.failed(number, now)
    assert breaker.is_open
    assert all(b - a >= INTERVAL_S for a, b in pairwise([0.0, *sent]))


@given(st.lists(st.floats(0, 10), min_size=1, max_size=50), st.floats(0.001, 0.19))
def test_a_node_that_answers_is_always_asked(pauses: list[float], service_s: float) -> None:
    breaker, now = CircuitBreaker(INTERVAL_S), 0.0
    for pause in pauses:
        now += pause
        number = breaker.begin(now, LATE_S)
        assert number is not None
        now += service_s
        breaker.answered(number, now)


def test_an_answer_closes_it() -> None:
    breaker = CircuitBreaker(INTERVAL_S)
    number = breaker.begin(0.0, LATE_S)
    assert number is not None
    breaker.failed(number, 2.0)
    assert breaker.begin(6.9, LATE_S) is None
    assert breaker.retry_after_s(6.0) == 1.0
    probe = breaker.begin(7.0, LATE_S)
    assert probe is not None
    assert breaker.begin(7.1, LATE_S) is None
    breaker.answered(probe, 7.2)
    assert breaker.begin(7.3, LATE_S) is not None
    assert not breaker.is_open


def test_a_node_that_no_process_serves_is_probed_soon() -> None:
    breaker = CircuitBreaker(INTERVAL_S)
    breaker.missing(breaker.begin(0.0, LATE_S) or 0, 0.0)
    assert breaker.begin(0.4, LATE_S) is None
    probe = breaker.begin(0.6, LATE_S)
    assert probe is not None
    assert breaker.begin(1.2, LATE_S) is None
    breaker.failed(probe, 2.6)  # It hangs now.
    assert breaker.begin(5.5, LATE_S) is None
    assert breaker.begin(5.7, LATE_S) is not None


@given(st.lists(st.floats(0.005, 0.5), min_size=5, max_size=200), st.floats(0.02, 0.19))
def test_a_node_that_hangs_is_found_by_requests_with_short_deadlines(
    pauses: list[float], deadline_s: float
) -> None:
    """No request waits until its answer is late; together they do."""
    breaker, now, sent = CircuitBreaker(INTERVAL_S), 10.0, list[float]()
    breaker.answered(breaker.begin(now, LATE_S) or 0, now)
    ends = list[tuple[float, int]]()
    for pause in pauses:
        now += pause
        while ends and ends[0][0] <= now:
            breaker.cut_short(ends.pop(0)[1])
        if (number := breaker.begin(now, LATE_S)) is not None:
            sent.append(now)
            ends.append((now + deadline_s, number))
    later = [at for at in sent if at > sent[0] + LATE_S]
    assert all(b - a >= INTERVAL_S - 1e-9 for a, b in pairwise(later))


def test_one_lost_answer_among_others_does_not_open_it() -> None:
    breaker = CircuitBreaker(INTERVAL_S)
    lost = breaker.begin(0.0, LATE_S) or 0
    for k in range(1, 20):
        number = breaker.begin(0.1 * k, LATE_S)
        assert number is not None
        breaker.answered(number, 0.1 * k + 0.05)
    breaker.failed(lost, 2.0, LATE_S)
    assert not breaker.is_open
