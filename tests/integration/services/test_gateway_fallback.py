"""A gateway without services or decisions completes every request by itself."""

from __future__ import annotations

import pytest

from tercet.messaging.bus import Bus
from tercet.models.images import Picture
from tercet.rl.options import Option
from tercet.services.gateway.local_fallback import LocalFallback
from tests.integration.services.gateways import (
    Gateway,
    decision,
    local_fallback,
    opened,
    serving,
)


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
