"""The outages that `benchmarks` measures in real time, made short; the verbs take minutes."""

from __future__ import annotations

import pytest

from benchmarks import hung_cloud, orchestrator_outage

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


async def test_a_cloud_that_hangs_costs_a_probe_per_interval_and_device() -> None:
    found = await hung_cloud.measure(12.0, 4.0)
    assert found["by_status"] == {"200": found["requests"]}, found
    assert 0 < found["probes"] <= found["probes_allowed"], found


async def test_without_an_orchestrator_every_request_follows_the_last_decision() -> None:
    found = await orchestrator_outage.measure(12.0, 4.0)
    assert found["requests"] > 10
    assert found["answered"] == found["by_the_last_decision"] == found["requests"], found
