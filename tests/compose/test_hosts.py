"""Many hosts, each a project with keys: a cloud, an edge, two devices; the uplink is cut."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tercet.messaging.broker import free_port
from tercet.messaging.bus import Bus, connect
from tercet.messaging.stream_reader import replay
from tercet.schemas.decision import Decision
from tercet.schemas.outcome import Outcome
from tests.compose.keys import secure, settings
from tests.compose.project import Project, docker

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    # The engine's proxy accepts connections for a stopped broker and closes them; nats-py 2.16
    # then does not close the socket of the attempt.
    pytest.mark.filterwarnings("default::pytest.PytestUnraisableExceptionWarning"),
]

CUT_S = 30.0
"""Seconds without an uplink."""
REVOKED_WITHIN_S = 5.0
"""Seconds after which the broker refuses a revoked key."""
WORLD, EDGE_NETWORK = "tercet-test-world", "tercet-test-site"
"""Networks: of cloud and edge, of edge and devices."""
DEVICES = ("device-1", "device-2")


class Hosts:
    """The projects, and clients of their brokers."""

    def __init__(self, site: Path, cloud: Project, edge: Project) -> None:
        self.site, self.cloud, self.edge = site, cloud, edge

    @asynccontextmanager
    async def bus(self, project: Project) -> AsyncIterator[Bus]:
        """A client of a host's broker that may subscribe to everything."""
        url = f"tls://{project.address('broker', 4222)}".replace("0.0.0.0", "127.0.0.1")
        key = self.site / "hosts" / "hub" / "dashboard.nk"
        async with connect(settings(self.site, url, key), "client") as bus:
            yield bus

    @property
    def uplink(self) -> tuple[str, str]:
        """The network and the container that lead from the edge to the cloud."""
        return WORLD, f"{self.edge.name}-relay-1"


def all_at_once(action: Callable[[Project], None], *projects: Project) -> None:
    """Start or remove projects that do not depend on each other."""
    with ThreadPoolExecutor(len(projects)) as pool:
        list(pool.map(action, projects))


@pytest.fixture(scope="module")
def network(images: None) -> Iterator[None]:
    for name in (WORLD, EDGE_NETWORK):
        docker("network", "create", name)
    yield
    for name in (WORLD, EDGE_NETWORK):
        docker("network", "rm", name)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keys") / "site"
    edges = ("--edge", "edge-1=edge-1", "--edge", "edge-9=edge-9")
    devices = [argument for name in DEVICES for argument in ("--device", f"{name}=edge-1")]
    secure(folder, "init", "--host", "hub", *edges, *devices)
    return folder


@pytest.fixture(scope="module")
def hosts(network: None, site: Path) -> Iterator[Hosts]:
    common = {"TERCET_BIND": "127.0.0.1", "TERCET_LEAF_BIND": "127.0.0.1", "TERCET_IDLE": "1"}
    broker, relay = "tests/compose/one-engine-broker.yaml", "tests/compose/one-engine.yaml"
    cloud = Project(
        "tercet-test-cloud",
        ("compose/cloud.yaml", broker),
        {
            **common,
            "TERCET_KEYS": str(site / "hosts" / "hub"),
            "TERCET_PORT": str(free_port()),
            "TERCET_DASHBOARD_PORT": str(free_port()),
            "TERCET_DEVICES": "2",
            "TERCET_NODES": "4",
            "TEST_REACHABLE": WORLD,
            "TEST_ALIAS": "hub",
        },
    )
    edge = Project(
        "tercet-test-edge-1",
        ("compose/edge.yaml", broker, relay),
        {
            **common,
            "TERCET_KEYS": str(site / "hosts" / "edge-1"),
            "NODE": "edge-1",
            "UPSTREAM": "hub",
            "TERCET_PORT": str(free_port()),
            "TEST_REACHABLE": EDGE_NETWORK,
            "TEST_ALIAS": "edge-1",
            "TEST_UPLINK": WORLD,
        },
    )
    devices = [
        Project(
            f"tercet-test-{name}",
            ("compose/device.yaml", relay),
            {
                **common,
                "TERCET_KEYS": str(site / "hosts" / name),
                "NODE": name,
                "UPSTREAM": "edge-1",
                "TERCET_GATEWAY_PORT": str(free_port()),
                "TEST_UPLINK": EDGE_NETWORK,
            },
        )
        for name in DEVICES
    ]
    try:
        edge.up()
        all_at_once(Project.up, cloud, *devices)
        yield Hosts(site, cloud, edge)
    finally:
        all_at_once(Project.down, edge, cloud, *devices)


async def decided(bus: Bus) -> None:
    """Wait until a new decision for every device was published."""
    received: asyncio.Queue[Decision] = asyncio.Queue()
    subscription = await bus.subscribe(Decision, received.put)
    missing = set(DEVICES)
    async with asyncio.timeout(90):
        while missing:
            missing.discard((await received.get()).device)
    await subscription.unsubscribe()


async def test_a_cut_uplink_stops_no_device_and_loses_no_outcome(hosts: Hosts) -> None:
    async with hosts.bus(hosts.cloud) as hub, hosts.bus(hosts.edge) as site:
        await decided(hub)
        during: list[Outcome] = []

        async def on_outcome(message: Outcome) -> None:
            during.append(message)

        subscription = await site.subscribe(Outcome, on_outcome)
        docker("network", "disconnect", *hosts.uplink)
        await asyncio.sleep(CUT_S)
        docker("network", "connect", *hosts.uplink)
        await subscription.unsubscribe()
        check_answers(during)
        await arrived(hub, during)
        await decided(hub)


def check_answers(during: list[Outcome]) -> None:
    """Every request was answered, and none waited for the cloud once the cut was detected."""
    by_device = Counter(o.device for o in during)
    worst = max(o.response_ms for o in during)
    how = Counter(o.fallback for o in during)
    print(f"in {CUT_S:.0f} s without uplink: {dict(by_device)} answered, {dict(how)}")
    print(f"worst response time {worst:.0f} ms, where: {dict(Counter(o.executed for o in during))}")
    assert set(by_device) == set(DEVICES)
    assert all(o.labels for o in during)
    late = [o for o in during if (o.at - during[0].at).total_seconds() > CUT_S / 2]
    assert late, "no request in the second half of the cut"
    assert {o.executed[-1] for o in late} <= {"L", "E"}


async def arrived(hub: Bus, during: list[Outcome]) -> None:
    """Wait until the hub's stream holds all of them, each once."""
    wanted = {o.id for o in during}
    async with asyncio.timeout(120):
        while True:
            stored = Counter([message.id async for _, message in replay(hub, Outcome)])
            if wanted <= stored.keys():
                break
            await asyncio.sleep(1)
    assert set(stored.values()) == {1}


async def test_an_unknown_upstream_is_named_in_the_log(hosts: Hosts) -> None:
    edge = Project(
        "tercet-test-edge-9",
        ("compose/edge.yaml",),
        {
            "TERCET_KEYS": str(hosts.site / "hosts" / "edge-9"),
            "NODE": "edge-9",
            "UPSTREAM": "nowhere",
            "TERCET_PORT": str(free_port()),
        },
    )
    try:
        edge.up("relay", "broker")
        async with asyncio.timeout(30):
            line = await asyncio.to_thread(edge.first_line, "relay", "upstream unreachable")
        assert "nowhere" in line
    finally:
        edge.down()


async def test_revoking_a_device_disconnects_it_from_its_edge_and_no_other(hosts: Hosts) -> None:
    last: dict[str, float] = {}
    both = asyncio.Event()

    async def on_outcome(message: Outcome) -> None:
        last[message.device] = asyncio.get_running_loop().time()
        if set(last) == set(DEVICES):
            both.set()

    async with hosts.bus(hosts.edge) as site:
        await site.subscribe(Outcome, on_outcome)
        async with asyncio.timeout(30):
            await both.wait()
        await asyncio.to_thread(secure, hosts.site, "revoke", "device-2")
        revoked = asyncio.get_running_loop().time()
        await asyncio.sleep(12)
    assert last["device-2"] < revoked + REVOKED_WITHIN_S
    assert last["device-1"] > revoked + REVOKED_WITHIN_S


def test_without_keys_the_error_names_the_missing_file(images: None, tmp_path: Path) -> None:
    bare = Project(
        "tercet-test-bare",
        ("compose/device.yaml",),
        {"NODE": "device-3", "UPSTREAM": "edge-1", "TERCET_KEYS": str(tmp_path / "none")},
    )
    try:
        done = bare.compose("up", "-d", "monitor", check=False)
        assert done.returncode != 0
        assert "none/monitor-device-3.nk" in done.stderr or "none/ca.pem" in done.stderr
    finally:
        bare.down()
