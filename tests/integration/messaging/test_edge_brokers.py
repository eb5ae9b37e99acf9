"""An edge with a broker of its own: two real servers, shipped configuration, generated keys.

The tests interrupt the link between them.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from tercet.messaging import broker
from tercet.messaging.bus import Bus, M, connect
from tercet.messaging.declare import TopologySettings, declare
from tercet.messaging.relay_link import RelayLink
from tercet.messaging.responder import responding
from tercet.messaging.security import site as sites
from tercet.messaging.security.names import MOUNT_POINT
from tercet.messaging.stream_reader import last_per_subject, tail
from tercet.messaging.topology import CAPTURED, STREAMS, stream_of
from tercet.process.child import with_parent_death_signal
from tercet.process.errors import NoAnswer
from tercet.process.settings import BusSettings
from tercet.schemas.capability import Capability
from tercet.schemas.decision import Decision
from tercet.schemas.outcome import Outcome
from tercet.schemas.request import Request
from tercet.schemas.telemetry import Telemetry
from tercet.services.gateway.decision_in_force import DecisionInForce
from tests.integration.messaging.test_bus import outcome
from tests.integration.security.fleet import add_user

CONFIGURATION = Path(__file__).parents[3] / "compose" / "broker"


class Site:
    """A hub, an edge that is its leaf, and the link between them."""

    def __init__(self, hub: Bus, edge: Bus, link: RelayLink) -> None:
        self.hub, self.edge, self.link = hub, edge, link

    async def joined(self) -> None:
        """Wait until the link works, and with it all earlier subscriptions at the hub."""

        async def answer(raw: object) -> None:
            await raw.respond(b"")  # type: ignore[attr-defined]

        echo = await self.hub.client.subscribe("echo", cb=answer)
        while True:
            try:
                await self.edge.client.request("echo", timeout=1)
                break
            except Exception:
                await asyncio.sleep(0.05)
        await echo.unsubscribe()

    async def kept(self, kind: type[M], count: int) -> list[M]:
        """Return all messages of a kind in the hub's stream, once there are `count`."""
        found: list[M] = []
        async with asyncio.timeout(40):
            async for _, message in tail(self.hub, kind, start=1, stop=asyncio.Event()):
                found.append(message)
                if len(found) == count:
                    break
        assert (await self.hub.js.stream_info(stream_of(kind.pattern()))).state.messages == count
        return found


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    """Keys of a hub and an edge."""
    folder = tmp_path / "site"
    site = sites.create(folder, "cloud", ["127.0.0.1"])
    site.add_node(folder, "edge", "edge-1")
    site.add_broker(folder, "edge-1", ["127.0.0.1"])
    site.save(folder)
    add_user(folder, ["hub", "edge-1"])
    return folder


@pytest.fixture
def brokers(tmp_path: Path, keys: Path) -> Iterator[Callable[..., None]]:
    """Start brokers from the shipped configuration, on other ports and an empty store."""
    processes = []

    def start(name: str, host: str, ports: dict[int, int], **variables: str) -> None:
        home = tmp_path / name
        security = home / "security"
        shutil.copytree(keys / "hosts" / host / "broker", security)
        copied = {file: home / file.name for file in CONFIGURATION.glob("*.conf")}
        for file, copy in {
            **copied,
            security / "security.conf": security / "security.conf",
        }.items():
            text = file.read_text().replace(MOUNT_POINT, str(security))
            for shipped, free in ports.items():
                text = text.replace(f"0.0.0.0:{shipped}", f"127.0.0.1:{free}")
            text = re.sub(r"^http:.*$", "", text, flags=re.MULTILINE)
            text = text.replace('"/data"', f'"{home / "data"}"')
            copy.write_text(text)
        with (tmp_path / f"{name}.log").open("w") as log:
            command = with_parent_death_signal(
                [broker.executable(), "-c", str(home / f"{name}.conf")]
            )
            environment = {**os.environ, **variables}
            processes.append(subprocess.Popen(command, env=environment, stderr=log))

    yield start
    for process in processes:
        process.terminate()
        process.wait(timeout=5)


@pytest.fixture
async def site(brokers: Callable[..., None], keys: Path) -> AsyncIterator[Site]:
    hub_port, leaf_port, edge_port = (broker.free_port() for _ in range(3))
    brokers("cloud", "hub", {4222: hub_port, 7422: leaf_port})
    link = RelayLink(("127.0.0.1", leaf_port))
    await link.listen("127.0.0.1", 0)
    uplink = f"tls://127.0.0.1:{link.port}"
    brokers("edge", "edge-1", {4222: edge_port}, SITE="edge-1", UPLINK=uplink)
    at = [
        BusSettings(
            bus_url=f"tls://127.0.0.1:{port}",
            bus_credentials=keys / "fleet.nk",
            bus_ca=keys / "ca" / "ca.pem",
        )
        for port in (hub_port, edge_port)
    ]
    async with connect(at[0], "hub") as hub, connect(at[1], "edge") as edge:
        site = Site(hub, edge, link)
        await site.joined()
        await declare(edge.js, TopologySettings(edge_domain="edge-1"))
        await declare(hub.js, TopologySettings(edge_domains=("edge-1", "edge-9")))
        yield site
    await link.close()


async def test_an_edge_captures_and_the_hub_receives_live_and_stores_once(
    site: Site,
) -> None:
    received: asyncio.Queue[Outcome] = asyncio.Queue()
    near: asyncio.Queue[Outcome] = asyncio.Queue()
    await site.hub.subscribe(Outcome, received.put)
    await site.edge.subscribe(Outcome, near.put)
    await site.joined()
    for k in range(5):
        await site.edge.publish(outcome(ms=float(k)))
    await site.hub.publish(outcome(ms=99.0))
    async with asyncio.timeout(30):
        came = [(await received.get()).response_ms for _ in range(6)]
        assert sorted(came) == [0, 1, 2, 3, 4, 99]
        assert [ms for ms in came if ms != 99] == [
            0,
            1,
            2,
            3,
            4,
        ]  # The hub's own arrives on another path.
        assert [(await near.get()).response_ms for _ in range(5)] == [0, 1, 2, 3, 4]
    assert sorted(o.response_ms for o in await site.kept(Outcome, 6)) == [0, 1, 2, 3, 4, 99]
    assert near.empty()
    assert received.empty()


async def test_a_disconnected_edge_continues_and_the_hub_gets_every_outcome_later(
    site: Site,
) -> None:
    before = outcome(ms=1.0)
    await site.edge.publish(before)
    await site.kept(Outcome, 1)
    await site.link.set_state("off")
    with pytest.raises(NoAnswer, match="nobody serves"):
        await _without_waiting(site.edge)
    during = [outcome(ms=10.0 + k) for k in range(20)]
    for message in during:
        await site.edge.publish(message)
    await site.link.set_state("0")
    assert [o.id for o in await site.kept(Outcome, 21)] == [before.id, *(o.id for o in during)]


async def _without_waiting(edge: Bus) -> None:
    """Send requests until the broker reports no responder: the link was just cut."""
    while True:
        try:
            await edge.request(Request(device="device-1"), Decision, 5.0)
        except NoAnswer as error:
            if not error.responder:
                raise


async def test_a_gateway_at_an_edge_has_the_decision_in_force(site: Site) -> None:
    """The edge has no stream of decisions: the orchestrator is asked once, then it pushes."""

    async def answer(request: Request) -> Decision:
        return decided("d0@L")

    def decided(option: str) -> Decision:
        return Decision(device="device-1", option=option, node="x", goal="80", policy="test")

    async def until(option: str) -> None:
        for _ in range(400):
            if decisions.current is not None and decisions.current.option == option:
                return
            await asyncio.sleep(0.05)
        pytest.fail(f"{option} is not in force")

    decisions, stop = DecisionInForce("device-1", None), asyncio.Event()
    async with responding(site.hub, "orchestrator") as responder, asyncio.TaskGroup() as tasks:
        await responder.serve(Request, answer)
        tasks.create_task(decisions.follow(site.edge, stop))
        await until("d0@L")
        await site.hub.publish(decided("d3@L"))
        await until("d3@L")
        stop.set()


async def test_a_device_finds_its_node_at_the_edge_and_the_hub_finds_it_too(site: Site) -> None:
    published = Capability(node="device-1", tier="device", home="edge-1", accuracy_pct={"d0": 89.9})
    await site.edge.publish(published)
    assert await last_per_subject(site.edge, Capability, node="device-1") == [published]
    await site.kept(Capability, 1)
    assert await last_per_subject(site.hub, Capability) == [published]


async def test_the_edge_has_only_captured_streams_and_declaring_is_idempotent(site: Site) -> None:
    assert {s.config.name for s in await site.edge.js.streams_info()} == set(CAPTURED)
    assert await declare(site.edge.js, TopologySettings(edge_domain="edge-1")) == []
    assert await declare(site.hub.js, TopologySettings(edge_domains=("edge-1", "edge-9"))) == []
    (*_, change) = await declare(site.hub.js, TopologySettings(edge_domains=("edge-1",)))
    assert "edge-9" in change
    await site.edge.publish(Telemetry(node="device-1", condition={"cpu": 0.5}))
    await site.kept(Telemetry, 1)


def test_the_link_denies_what_an_edge_captures() -> None:
    text = (CONFIGURATION / "edge.conf").read_text()
    wanted = {subject for name in CAPTURED for subject in STREAMS[name].subjects}
    for way in ("deny_exports", "deny_imports"):
        (listed,) = re.findall(rf"{way}: \[(.*?)\]", text)
        assert set(re.findall(r'"(.*?)"', listed)) == wanted
