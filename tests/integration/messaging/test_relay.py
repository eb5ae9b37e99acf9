"""The relay: delays outgoing bytes only, changes while it runs, cuts and restores links."""

from __future__ import annotations

import asyncio
import csv
import json
import re
from collections.abc import AsyncIterator
from importlib.resources import files
from pathlib import Path

import pytest

from tercet.messaging.broker import free_port
from tercet.messaging.bus import Bus, connect
from tercet.messaging.relay import Relay, RelaySettings, query_relay, relaying
from tercet.messaging.relay_link import RelayLink
from tercet.messaging.subscription import flush_subscriptions
from tercet.process.errors import Misconfigured
from tercet.process.settings import BusSettings
from tests.conftest import Server


def settings(server: Server, **changes: object) -> RelaySettings:
    upstream = server.url.removeprefix("nats://")
    return RelaySettings.model_validate(
        {"upstream": upstream, "links": {"device-1": 0}, "relay_control": 0, **changes}
    )


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
async def relay(server: Server) -> AsyncIterator[Relay]:
    async with relaying(settings(server)) as relay:
        yield relay


@pytest.fixture
async def far(relay: Relay) -> AsyncIterator[Bus]:
    """A bus behind the relay."""
    url = f"nats://127.0.0.1:{relay.links['device-1'].port}"
    async with connect(BusSettings(bus_url=url, connect_patience=5), "far") as bus:
        yield bus


async def test_outgoing_bytes_wait_and_arrive_in_order(bus: Bus, far: Bus, relay: Relay) -> None:
    received: asyncio.Queue[bytes] = asyncio.Queue()

    async def on_message(raw: object) -> None:
        received.put_nowait(raw.data)  # type: ignore[attr-defined]

    await bus.client.subscribe("picture", cb=on_message)
    await flush_subscriptions(bus.client)
    await relay.change("device-1=80")
    bodies = [bytes([k]) * 200_000 for k in range(8)]
    for body in bodies:
        await far.client.publish("picture", body)
    await relay.change("device-1=0")  # Later bytes do not overtake delayed ones.
    await far.client.publish("picture", b"last")
    assert [await asyncio.wait_for(received.get(), 30) for _ in range(9)] == [*bodies, b"last"]


async def test_a_round_trip_takes_the_delay_once_and_a_change_applies_at_once(
    far: Bus, relay: Relay
) -> None:
    await relay.change("device-1=50")
    assert await far.round_trip() >= 50
    await relay.change("device-1=0")
    assert min([await far.round_trip() for _ in range(10)]) < 50


async def first_bytes(link: RelayLink) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", link.port)
    try:
        return await asyncio.wait_for(reader.read(5), 30)
    finally:
        writer.close()
        await writer.wait_closed()


async def test_a_cut_link_drops_connections_and_accepts_them_again_later(
    far: Bus, relay: Relay
) -> None:
    await relay.change("device-1=off")
    assert relay.show() == {"device-1": "off"}
    with pytest.raises(ConnectionRefusedError):
        await first_bytes(relay.links["device-1"])
    with pytest.raises(TimeoutError):
        await far.js.account_info()
    await relay.change("device-1=0")
    assert (await far.retry(far.js.account_info)).streams == 0


async def test_an_unreachable_upstream_only_closes_the_connection(server: Server) -> None:
    link = RelayLink(("127.0.0.1", server.port))
    await link.listen("127.0.0.1", 0)
    server.stop()
    assert await first_bytes(link) == b""
    server.start()
    assert await first_bytes(link) == b"INFO "
    await link.close()


async def test_a_running_relay_is_changed_through_its_control_port(
    server: Server, port: int
) -> None:
    given = settings(
        server,
        links={"device-1": 0, "edge-1": 0},
        scenario="B",
        scenarios={"A": (), "B": ("edge-1", "device-7")},
        relay_control=port,
    )
    async with relaying(given):
        shown = await query_relay(port, [])
        assert shown == {"links": {"device-1": 0.0, "edge-1": 20.0}}
        shown = await query_relay(port, ["device-1=5", "edge-1=off"])
        assert shown == {"links": {"device-1": 5.0, "edge-1": "off"}}
        for nonsense in ("device-9=1", "device-1", "device-1=-1", "device-1=nan", "device-1=x"):
            with pytest.raises(Misconfigured):
                await query_relay(port, [nonsense])
        assert (await query_relay(port, []))["links"] == shown["links"]
    with pytest.raises(Misconfigured, match=str(port)):
        await query_relay(port, [])


async def test_an_unknown_scenario_and_a_port_in_use_are_named(server: Server) -> None:
    with pytest.raises(Misconfigured, match="no scenario 'E'"):
        async with relaying(settings(server, scenario="E")):
            pass
    with pytest.raises(Misconfigured, match="in use"):
        async with relaying(settings(server, relay_host="127.0.0.1", links={"x": server.port})):
            pass


def test_the_containers_know_the_scenarios_of_the_paper() -> None:
    parts = (Path(__file__).parents[3] / "compose" / "parts.yaml").read_text()
    written = re.search(r"TERCET_SCENARIOS: >-\n(.*?\})\n", parts, re.DOTALL)
    assert written is not None
    table = (files("tercet.sim") / "paper_data" / "table4_scenarios.csv").read_text().splitlines()
    names = {"E": "edge-1", **{f"S{k}": f"device-{k}" for k in range(1, 6)}}
    found = {scenario: set(weak) for scenario, weak in json.loads(written[1]).items()}
    assert found == {
        row["scenario"]: {name for column, name in names.items() if row[column] == "W"}
        for row in csv.DictReader(table)
    }
