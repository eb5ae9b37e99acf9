"""The table is declared, told apart from what is there, and never shrunk into losing data."""

from __future__ import annotations

import pytest

from tercet.messaging import declare
from tercet.messaging.bus import Bus
from tercet.messaging.declare import TopologySettings
from tercet.process.errors import Misconfigured
from tercet.schemas.telemetry import Telemetry
from tests.integration.messaging.test_bus import outcome


def limits(**streams: dict[str, float]) -> TopologySettings:
    return TopologySettings(streams=streams)


async def test_declaring_twice_changes_nothing(bus: Bus) -> None:
    assert await declare.declare(bus.js) == []


async def test_a_change_is_reported(bus: Bus) -> None:
    (change,) = await declare.declare(bus.js, limits(TELEMETRY={"max_age": 3600}))
    assert change.startswith("changed stream TELEMETRY: max_age")
    info = await bus.js.stream_info("TELEMETRY")
    assert info.config.max_age == 3600


@pytest.mark.parametrize(
    "limit", [{"max_bytes": 100}, {"per_subject": 1}], ids=["bytes", "per subject"]
)
async def test_what_would_lose_data_is_refused(bus: Bus, limit: dict[str, float]) -> None:
    for ms in (1.0, 2.0):
        await bus.publish(outcome(ms=ms))
    with pytest.raises(Misconfigured, match="OUTCOMES holds"):
        await declare.declare(bus.js, limits(OUTCOMES=limit))
    assert (await bus.js.stream_info("OUTCOMES")).state.messages == 2
    assert await declare.declare(bus.js, limits(OUTCOMES=limit), force=True)
    await bus.publish(outcome(ms=3.0))
    assert (await bus.js.stream_info("OUTCOMES")).state.messages < 2


async def test_an_empty_stream_may_shrink(bus: Bus) -> None:
    assert await declare.declare(bus.js, limits(OUTCOMES={"max_bytes": 100_000}))


async def test_a_smaller_age_is_fine_while_nothing_is_older(bus: Bus) -> None:
    await bus.publish(Telemetry(node="cam-1", condition={"cpu": 0.1}))
    await bus.client.flush()
    assert await declare.declare(bus.js, limits(TELEMETRY={"max_age": 600}))


@pytest.mark.parametrize(
    ("streams", "word"), [({"NOTHING": {}}, "NOTHING"), ({"DEAD": {"colour": 1.0}}, "colour")]
)
def test_an_unknown_limit_is_named(streams: dict[str, dict[str, float]], word: str) -> None:
    with pytest.raises(Misconfigured, match=word):
        declare.adjusted(TopologySettings(streams=streams))
