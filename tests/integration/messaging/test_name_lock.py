"""One process holds a name: the first keeps it, a second one exits, a later one gets it."""

from __future__ import annotations

import asyncio

import pytest

from tercet.messaging.bus import Bus, connect
from tercet.messaging.name_lock import hold_name
from tercet.process.errors import Misconfigured
from tercet.process.settings import BusSettings, NodeSettings


def named(node: str) -> NodeSettings:
    return NodeSettings(node=node)


async def in_use(bus: Bus, service: str, node: str) -> bool:
    try:
        async with hold_name(bus, service, named(node)):
            return False
    except Misconfigured as error:
        assert node in str(error)
        return True


async def test_the_first_keeps_the_name_and_a_later_one_gets_it(
    bus: Bus, settings: BusSettings
) -> None:
    async with connect(settings, "other") as other:
        async with hold_name(bus, "device", named("device-1")):
            assert await in_use(other, "device", "device-1")
            assert not await in_use(other, "device", "device-2")
            assert not await in_use(other, "monitor", "device-1")
        assert not await in_use(other, "device", "device-1")


async def test_of_two_that_start_at_once_one_keeps_the_name(
    bus: Bus, settings: BusSettings
) -> None:
    done = asyncio.Event()

    async def run(bus: Bus) -> str:
        end = "kept"
        try:
            async with hold_name(bus, "device", named("device-1")):
                await done.wait()
        except* Misconfigured:
            done.set()
            end = "refused"
        return end

    async with connect(settings, "other") as other, asyncio.timeout(30):
        ends = await asyncio.gather(run(bus), run(other))
    assert sorted(ends) == ["kept", "refused"]


async def test_a_malformed_message_on_the_subject_is_no_claim(
    bus: Bus, settings: BusSettings
) -> None:
    async with connect(settings, "other") as other, hold_name(bus, "device", named("device-1")):
        await other.client.publish("claim.v1.device.device-1", b"{}")
        await other.client.publish("claim.v1.device.device-1", b"no json", reply="nowhere")
        assert await in_use(other, "device", "device-1")


async def test_a_service_without_a_node_locks_no_name(bus: Bus, settings: BusSettings) -> None:
    async with hold_name(bus, "orchestrator", settings), hold_name(bus, "orchestrator", settings):
        pass


@pytest.mark.parametrize(("tier", "alone"), [("device", True), ("edge", False), ("cloud", False)])
def test_edge_and_cloud_may_run_several_inference_processes(tier: str, alone: bool) -> None:
    from tercet.services.inference.settings import InferenceSettings

    assert InferenceSettings(tier=tier).must_be_unique is alone
