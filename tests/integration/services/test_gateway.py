"""A gateway completes every request: real broker, with services that are missing or fail."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from tercet.messaging.bus import Bus
from tercet.models.images import Picture
from tercet.rl.options import Option
from tercet.schemas.outcome import Outcome
from tercet.schemas.round import Round
from tercet.services.gateway.local_fallback import LocalFallback
from tercet.services.gateway.sources.demonstration import next_round
from tests.integration.services.gateways import (
    Gateway,
    Node,
    decision,
    gateway,
    local_fallback,
    of_models,
    serving,
)


@pytest.fixture
def device(bus: Bus, models: Path) -> Gateway:
    """Without a decision; tests put one in force."""
    return gateway(bus, of_models(models))


def opened() -> Round:
    return Round(number=4, devices=("cam-1",), policy="explore")


async def test_it_executes_the_decision_in_force(bus: Bus, device: Gateway) -> None:
    device.decisions.current = decision("d0@C")
    async with serving(bus, sky="ok", cam_1="ok") as requested:
        outcome = await device.run(b"one", opened())
    assert requested == [("sky", "d0")]
    assert (outcome.assigned, outcome.executed, outcome.node) == ("d0@C", "d0@C", "sky")
    assert (outcome.fallback, outcome.round) == ("none", 4)
    assert outcome.cause == device.decisions.current.id
    assert outcome.response_ms == pytest.approx(
        outcome.network_ms + outcome.queue_ms + outcome.compute_ms
    )


async def test_answer_outcome_and_result_name_the_request(bus: Bus, device: Gateway) -> None:
    device.decisions.current = decision("d3@L")
    async with serving(bus, cam_1="ok"):
        answer = await device.infer(b"one", source="door", frame="f7", deadline_ms=900.0)
    outcome, result = device.outcomes[-1], device.results[-1]
    assert answer.request == outcome.request == result.request
    assert answer.decision == outcome.cause == result.decision == device.decisions.current.id
    for message in (outcome, result):
        assert (message.source, message.frame) == ("door", "f7")
        assert message.arrived_at is not None
    assert [label.name for label in answer.labels] == ["one"]
    assert answer.labels == outcome.labels == result.labels
    assert (result.option, result.node, outcome.deadline_ms) == ("d3@L", "cam-1", 900.0)


async def test_names_that_are_no_text_or_too_long_are_no_defect(bus: Bus, device: Gateway) -> None:
    device.decisions.current = decision("d3@L")
    async with serving(bus, cam_1="ok"):
        answer = await device.infer(source="s" * 1000, frame="\udcff.jpg", deadline_ms=1e18)
    assert answer.status == "ok"
    assert (device.outcomes[-1].source, device.results[-1].frame) == ("s" * 128, "?.jpg")
    assert Outcome.model_validate_json(device.outcomes[-1].model_dump_json())


async def test_an_overloaded_node_is_replaced_by_the_own_node(bus: Bus, device: Gateway) -> None:
    device.decisions.current = decision("d0@C")
    async with serving(bus, sky="overloaded", cam_1="ok") as requested:
        outcome = await device.run(b"one", opened())
    assert requested == [("sky", "d0"), ("cam-1", "d2")]
    assert (outcome.assigned, outcome.executed, outcome.fallback) == ("d0@C", "d2@L", "overloaded")
    assert [(a.option, a.node, a.result) for a in outcome.attempts] == [
        ("d0@C", "sky", "overloaded"),
        ("d2@L", "cam-1", "ok"),
    ]
    assert sum(a.ms for a in outcome.attempts) <= outcome.response_ms


async def test_alternatives_are_tried_in_their_order(bus: Bus, device: Gateway) -> None:
    device.decisions.current = decision("d0@C", "d0@E 40", "d2@L 31")
    async with serving(bus, sky="overloaded", gate="ok", cam_1="ok") as requested:
        outcome = await device.run(b"one", None)
    assert requested == [("sky", "d0"), ("gate", "d0")]
    assert (outcome.executed, outcome.node, outcome.fallback) == ("d0@E", "gate", "overloaded")


async def test_an_answer_that_cannot_come_in_time_is_not_begun_elsewhere(
    bus: Bus, device: Gateway
) -> None:
    device.decisions.current = decision("d0@C", "d0@E 400", "d2@L 300")
    async with serving(bus, sky="overloaded", gate="ok", cam_1="ok") as requested:
        answer = await device.infer(deadline_ms=200.0)
    assert requested == [("sky", "d0")]
    assert (answer.status, answer.labels) == ("overloaded", ())
    assert device.results == []
    assert [a.result for a in device.outcomes[-1].attempts] == ["overloaded"]


async def test_an_attempt_leaves_time_for_the_alternative(bus: Bus, device: Gateway) -> None:
    device.decisions.current = decision("d0@C", "d2@L 31", expected_ms=50.0)
    async with serving(bus, sky=Node(hangs=True), cam_1="ok"):
        answer = await device.infer(deadline_ms=400.0)
    assert (answer.status, answer.option) == ("ok", "d2@L")
    assert answer.response_ms < 400.0


@pytest.mark.parametrize("deadline_ms", [0.0, -1.0])
async def test_without_any_time_nothing_is_begun(
    bus: Bus, device: Gateway, deadline_ms: float
) -> None:
    device.decisions.current = decision("d3@L")
    async with serving(bus, cam_1="ok") as requested:
        answer = await device.infer(deadline_ms=deadline_ms)
    assert (answer.status, requested, device.outcomes) == ("too-late", [], [])
    assert [(o.count, o.begun) for o in device.refused.all()] == [(1, False)]


async def test_overload_everywhere_is_reported_and_not_run_in_this_process(bus: Bus) -> None:
    device = gateway(bus, lambda: pytest.fail("local"), decision("d0@C", "d0@E 40", "d2@L 31"))
    async with serving(bus, sky="overloaded", gate="overloaded", cam_1="overloaded"):
        answer = await device.infer()
    assert (answer.status, bool(answer.retry_after_s)) == ("overloaded", True)
    assert [a.result for a in device.outcomes[-1].attempts] == ["overloaded"] * 3


async def test_many_at_once_are_bounded_and_every_answer_is_of_its_picture(bus: Bus) -> None:
    device = gateway(bus, lambda: pytest.fail("local"), decision("d3@L"), requests=8)
    async with serving(bus, cam_1=Node(takes_s=0.1)) as requested:
        pictures = [f"picture {k}".encode() for k in range(20)]
        answers = await asyncio.gather(*map(device.infer, pictures))
    answered = [k for k, answer in enumerate(answers) if answer.status == "ok"]
    assert len(requested) == len(answered) == 8
    assert all(answers[k].labels[0].name == f"picture {k}" for k in answered)
    refused = [a for a in answers if a.status == "overloaded"]
    assert len(refused) == 12
    assert all(a.retry_after_s for a in refused)
    assert len({a.request for a in answers}) == 20
    (reported,) = device.refused.all()
    assert (reported.count, reported.begun, reported.assigned) == (12, False, "d3@L")


async def test_what_a_full_gateway_does_not_receive_belongs_to_the_demand(bus: Bus) -> None:
    device = gateway(bus, lambda: pytest.fail("local"), decision("d3@L"), requests=1)
    async with serving(bus, cam_1=Node(takes_s=0.2)), asyncio.TaskGroup() as tasks:
        assert device.pipeline.full() is None
        made = tasks.create_task(device.infer())
        await asyncio.sleep(0.05)
        full = [device.pipeline.full() for _ in range(3)]
        await made
    assert device.pipeline.full() is None
    assert {f.retry_after_s if f else None for f in full} == {0.5}
    (reported,) = device.refused.all()
    assert (reported.count, reported.begun, reported.in_time) == (3, False, 0)
    assert Outcome.model_validate_json(reported.model_dump_json()) == reported


async def test_a_node_that_is_overloaded_is_known_before_a_picture_is_received(bus: Bus) -> None:
    """Its refusals are attempts at that node, as if the picture had been received."""
    device = gateway(bus, lambda: pytest.fail("local"), decision("d0@C", "d2@L 31"))
    async with serving(bus, sky="overloaded", cam_1="overloaded"), asyncio.TaskGroup() as tasks:
        await device.infer()
        assert device.pipeline.full() is None  # Nothing is in progress: one may try.
        for _ in range(8):
            tasks.create_task(device.infer())
        while (full := device.pipeline.full()) is None:  # noqa: ASYNC110  (its own loop)
            await asyncio.sleep(0)
    assert full.reason == "all nodes are overloaded"
    (reported,) = [o for o in device.refused.all() if o.begun]
    assert [(a.option, a.result) for a in reported.attempts] == [("d0@C", "overloaded")]


async def test_with_only_open_breakers_a_picture_is_refused_before_it_is_received(
    bus: Bus,
) -> None:
    """Until a probe is due; the demand is counted. The own node's models can run here."""
    limited = local_fallback(allowed=("E", "C"))
    device = gateway(bus, lambda: pytest.fail("local"), decision("d0@C", "d0@E 40"), limited,
                     probe_interval=1.5)  # fmt: skip
    async with serving(bus, sky=Node(hangs=True), gate=Node(hangs=True)):
        assert device.pipeline.full() is None
        assert (await device.infer(deadline_ms=3000.0)).status == "too-late"
        full = device.pipeline.full()
        device.decisions.current = decision("d0@C", "d2@L 31")
        device.local.allowed = ("L", "E", "C")
        assert device.pipeline.full() is None
        device.local.allowed = ("C",)
        await asyncio.sleep(1.5)
        assert device.pipeline.full() is None
    assert full is not None
    assert full.reason == "no node answers"
    assert 0.5 <= full.retry_after_s <= 1.5
    (reported,) = device.refused.all()
    assert (reported.count, reported.begun, reported.assigned) == (1, False, "d0@C")


async def test_tiers_that_are_not_allowed_are_never_asked(bus: Bus) -> None:
    """Neither as a decision, nor as an alternative, nor in faults."""
    local = local_fallback(allowed=("L", "E"))
    device = gateway(bus, lambda: pytest.fail("local"), decision("d0@C", "d0@E 40"), local)
    async with serving(bus, sky="ok", gate="overloaded", cam_1="ok") as requested:
        outcome = await device.run(b"private", None)
        device.decisions.current = decision("d0@E", "d0@C 20", "d2@L 31")
        await device.run(b"private", None)
    assert [node for node, _ in requested] == ["gate", "cam-1"] * 2
    assert outcome.executed == "d2@L"


async def test_a_variant_may_be_asked_for(bus: Bus, device: Gateway) -> None:
    device.decisions.current = decision("d0@C", "d0@E 40", "d2@L 31")
    async with serving(bus, sky="ok", cam_1="ok") as requested:
        await device.infer(variant="d4")
        await device.infer(variant="d0")
        answer = await device.infer(variant="d9")
    assert requested == [("cam-1", "d4"), ("sky", "d0")]
    assert (answer.status, answer.option) == ("failed", None)
    assert [o.assigned for o in device.outcomes] == [None, "d0@C"]


async def test_a_refused_picture_is_not_sent_everywhere(bus: Bus, device: Gateway) -> None:
    """The own node has the last word, and nothing is learned from a bad picture."""
    device.decisions.current = decision("d0@C", "d0@E 40", "d2@L 31")
    async with serving(bus, sky="refused", gate="ok", cam_1="refused") as requested:
        answer = await device.infer(b"not a picture")
    assert requested == [("sky", "d0"), ("cam-1", "d2")]
    assert (answer.status, device.outcomes) == ("failed", [])


async def test_without_any_service_it_runs_in_this_process(
    device: Gateway, photographs: list[Picture]
) -> None:
    outcome = await device.run(photographs[0].jpeg, None)
    assert (outcome.assigned, outcome.executed, outcome.node) == (None, "d0@L", "cam-1")
    assert outcome.fallback == "no-responder"
    assert [a.result for a in outcome.attempts] == ["no-responder", "ok"]
    assert outcome.labels
    assert outcome.compute_ms > 0


async def test_a_bad_picture_in_this_process_is_refused(device: Gateway) -> None:
    answer = await device.infer(b"not a picture")
    assert (answer.status, bool(answer.reason), device.outcomes) == ("failed", True, [])


async def test_a_picture_that_is_too_large_for_the_broker_runs_in_this_process(
    bus: Bus, device: Gateway, photographs: list[Picture]
) -> None:
    large = photographs[0].jpeg + b"\0" * bus.client.max_payload
    async with serving(bus, cam_1="ok") as requested:
        answer = await device.infer(large)
    assert (answer.status, answer.option, requested) == ("ok", "d0@L", [])


async def test_without_a_decision_it_chooses_by_itself(bus: Bus, device: Gateway) -> None:
    async with serving(bus, cam_1="ok") as requested:
        outcome = await device.run(b"one", opened())
    assert requested == [("cam-1", "d0")]
    assert (outcome.assigned, outcome.executed, outcome.fallback) == (None, "d0@L", "no-decision")


async def test_an_unknown_variant_in_a_decision_is_not_run(bus: Bus, device: Gateway) -> None:
    device.decisions.current = decision("d99@L")
    async with serving(bus, cam_1="ok") as requested:
        outcome = await device.run(b"one", opened())
    assert requested == [("cam-1", "d2")]  # The fastest that meets the decision's goal.
    assert (outcome.executed, outcome.fallback) == ("d2@L", "bad-decision")


async def test_the_outcome_id_derives_from_the_round(bus: Bus, device: Gateway) -> None:
    """Two requests of one round give the same id, so the stream keeps one outcome."""
    device.decisions.current = decision("d3@L")
    current_round = opened()
    async with serving(bus, cam_1="ok"):
        one = await device.run(b"one", current_round)
        two = await device.run(b"two", current_round)
    assert one.id == two.id
    for outcome in (one, two):
        await bus.publish(outcome)
    assert (await bus.js.stream_info("OUTCOMES")).state.messages == 1
    assert Outcome.model_validate_json(one.model_dump_json()) == one


async def test_a_hung_node_costs_what_was_in_progress_and_one_request_per_interval(
    bus: Bus,
) -> None:
    """Twenty a second for three seconds, with a probe every half second. All are answered."""
    sky = Node(takes_s=0.02)
    device = gateway(
        bus, lambda: pytest.fail("local"), decision("d0@C", "d2@L 31", expected_ms=20.0),
        inference_timeout=0.5, probe_interval=0.5,
    )  # fmt: skip
    async with serving(bus, sky=sky, cam_1="ok"), asyncio.TaskGroup() as tasks:
        for _ in range(20):
            assert (await device.infer()).node == "sky"
        in_progress = [tasks.create_task(device.infer()) for _ in range(3)]
        sky.hangs, began = True, time.perf_counter()
        while time.perf_counter() < began + 3.0:
            in_progress.append(tasks.create_task(device.infer(deadline_ms=1000.0)))
            await asyncio.sleep(0.05)
        answers = await asyncio.gather(*in_progress)
        sky.hangs = False
        for _ in range(50):
            back = (await device.infer()).node == "sky"
            if back:
                break
            await asyncio.sleep(0.1)
    assert back
    assert {answer.status for answer in answers} == {"ok"}
    timed_out = [a for o in device.outcomes for a in o.attempts if a.result == "timed-out"]
    until_suspected = 0.1 * 20  # At most: less where it is known how answers vary.
    assert len(timed_out) <= 3 + until_suspected + 3.0 / 0.5 + 1
    assert {o.fallback for o in device.outcomes if o.node == "cam-1"} == {"no-responder"}


async def test_requests_with_short_deadlines_find_out_that_a_node_hangs(bus: Bus) -> None:
    """None of them waits until an answer of its own is late; the later ones are not sent there."""
    device = gateway(
        bus, lambda: pytest.fail("local"), decision("d0@C", "d2@L 5", expected_ms=60.0)
    )
    async with serving(bus, sky=Node(hangs=True), cam_1="ok") as requested:
        for _ in range(20):
            await device.infer(deadline_ms=120.0)
    assert sum(node == "sky" for node, _ in requested) <= 4
    assert device.outcomes[-1].node == "cam-1"


@pytest.mark.parametrize(
    ("goal", "option"), [("min", "d3@L"), ("80", "d2@L"), ("85", "d4@L"), ("max", "d0@L")]
)
def test_the_fallback_is_the_fastest_local_variant_that_meets_the_goal(
    goal: str, option: str
) -> None:
    local = local_fallback()
    local.set_goal(goal)
    assert local.choose_local() == Option.parse(option)


def test_the_fallback_without_a_profile_is_the_most_accurate_variant() -> None:
    local = LocalFallback("cam-1", accuracy_pct={"small": 70.0, "large": 80.0})
    assert local.choose_local() == Option("large", "L")
    assert LocalFallback("cam-1").choose_local() is None


async def test_of_several_rounds_the_newest_is_used() -> None:
    rounds: asyncio.Queue[Round] = asyncio.Queue()
    for number in (1, 2, 3):
        rounds.put_nowait(Round(number=number, devices=("a",), policy="x"))
    found = await next_round(rounds, asyncio.Event(), idle=1)
    assert found is not None
    assert found.number == 3
    assert await next_round(rounds, asyncio.Event(), idle=0.05) is None
