"""One host in containers: health, decisions, scaling, killed containers, refused settings."""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
from collections import Counter
from pathlib import Path
from uuid import UUID

import pytest

from tercet.messaging import inspection
from tercet.messaging.bus import Bus
from tercet.messaging.stream_reader import replay
from tercet.models.images import Picture
from tercet.schemas.classification import Classification
from tercet.schemas.decision import Decision
from tercet.schemas.experience_v2 import Experience
from tercet.schemas.outcome import Outcome
from tests.compose.project import ROOT, Project, docker
from tests.gateway_clients import check_all

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1500),
    # The engine's proxy accepts connections for a stopped broker and closes them; nats-py 2.16
    # then does not close the socket of the attempt.
    pytest.mark.filterwarnings("default::pytest.PytestUnraisableExceptionWarning"),
]

TIMEOUT_S = 120.0


async def next_rounds(bus: Bus, count: int) -> list[Experience]:
    """Wait for the next `count` closed rounds."""
    received: asyncio.Queue[Experience] = asyncio.Queue()
    subscription = await bus.subscribe(Experience, received.put)
    async with asyncio.timeout(TIMEOUT_S):
        rounds = [await received.get() for _ in range(count)]
    await subscription.unsubscribe()
    return rounds


def test_applications_get_answers_that_equal_direct_onnxruntime(
    one_host: Project, models: Path
) -> None:
    """The models of the images are those of this host: built from the same seed."""
    for number in range(1, 6):
        _, _, port = one_host.address(f"device-{number}", 8100).rpartition(":")
        assert check_all(int(port), models)


async def test_all_is_healthy_and_an_external_client_receives_decisions(
    one_host: Project, client: Bus
) -> None:
    jobs = {"topology", "models", "policy"}
    for container in one_host.containers():
        if container["Service"] in jobs:
            assert (container["State"], container["ExitCode"]) == ("exited", 0)
        else:
            assert container["Health"] == "healthy", container["Name"]
    received: asyncio.Queue[Decision] = asyncio.Queue()
    await client.subscribe(Decision, received.put)
    missing = {f"device-{k}" for k in range(1, 6)}
    async with asyncio.timeout(TIMEOUT_S):
        while missing:
            missing.discard((await received.get()).device)


async def test_ports_are_on_loopback_and_no_process_is_root(one_host: Project) -> None:
    for container in one_host.containers():
        published = {p["URL"] for p in container["Publishers"] or () if p["PublishedPort"]}
        assert published <= {"127.0.0.1"}, container["Name"]
        if container["Service"] != "broker":
            assert docker("inspect", "-f", "{{.Config.User}}", container["Name"]) == "tercet"


PAUSED = (*(f"device-{k}" for k in range(1, 6)), "learner", "world-model")
"""Services that would use the CPU during a measurement."""


def quota(one_host: Project, service: str) -> float:
    """The CPU quota of a service's container, in cores."""
    host = docker("inspect", f"{one_host.name}-{service}-1", "-f", "{{json .HostConfig}}")
    limits = json.loads(host)
    return float(limits["CpuQuota"]) / float(limits["CpuPeriod"])


async def test_compute_times_of_tiers_are_in_the_ratio_of_their_quotas(
    one_host: Project, client: Bus, photographs: list[Picture]
) -> None:
    async def compute(node: str) -> float:
        """Milliseconds."""
        answer = await client.request_raw(
            f"inference.v1.{node}", photographs[0].jpeg, {"Variant": "d0"}, Classification, 20
        )
        assert (answer.status, answer.emulated) == ("ok", False)
        return answer.compute_ms

    nodes = ("device-1", "edge-1", "cloud")
    one_host.compose("pause", *PAUSED)
    try:
        # In turns, so that a host that becomes slower or faster does so for all tiers alike.
        turns = [[await compute(node) for node in nodes] for _ in range(25)]
    finally:
        one_host.compose("unpause", *PAUSED)
    took = {n: statistics.median(ms) for n, ms in zip(nodes, zip(*turns, strict=True), strict=True)}
    cores = {node: quota(one_host, f"{node}-inference") for node in nodes}
    print(f"d0, median compute time of 25, ms: {took}; quotas in cores: {cores}")
    for node in ("device-1", "edge-1"):
        times_slower = took[node] / took["cloud"]
        assert times_slower == pytest.approx(cores["cloud"] / cores[node], rel=0.4)


async def test_three_workers_share_all_slots(one_host: Project, client: Bus) -> None:
    one_host.up("--no-recreate", "--scale", "world-model=3", "world-model")
    async with asyncio.timeout(TIMEOUT_S):
        while True:
            holders = Counter(lease["holder"] for lease in await inspection.leases(client))
            if len(holders) == 3 and "" not in holders:
                break
            await asyncio.sleep(0.5)
    assert sum(holders.values()) == 5


@pytest.mark.parametrize("service", ["orchestrator", "edge-1-inference", "learner", "broker"])
async def test_a_killed_container_loses_no_accepted_outcome(
    one_host: Project, client: Bus, service: str
) -> None:
    received: set[UUID] = set()

    async def on_outcome(message: Outcome) -> None:
        received.add(message.id)

    start = (await client.js.stream_info("OUTCOMES")).state.last_seq
    subscription = await client.subscribe(Outcome, on_outcome)
    await next_rounds(client, 2)
    one_host.compose("kill", service)
    one_host.compose("start", service)
    await next_rounds(client, 3)
    await subscription.unsubscribe()
    async with asyncio.timeout(TIMEOUT_S):  # The last ones may not be stored yet.
        while True:
            stored = Counter([o.id async for _, o in replay(client, Outcome, start=start + 1)])
            if received <= stored.keys():
                break
    assert received
    assert set(stored.values()) == {1}


def reason_of_refusal(one_host: Project, service: str, *options: str) -> str:
    """Run another container of a service that must not start; the reason that it logs."""
    command = ("run", "--rm", "-T", "--no-deps", *options, service)
    done = one_host.compose(*command, check=False)
    assert done.returncode == 2, done.stderr[-500:]
    event = json.loads((done.stdout + done.stderr).strip().splitlines()[-1])
    assert event["event"] == "misconfigured"
    return str(event["reason"])


async def test_a_refused_container_logs_the_reason_and_the_others_continue(
    one_host: Project, client: Bus
) -> None:
    broken = ["-v", "tercet-test-empty:/models", "-e", "TERCET_NODE=cloud-2"]
    reasons = await asyncio.gather(
        *(
            asyncio.to_thread(reason_of_refusal, one_host, *arguments)
            for arguments in (
                ("device-1",),
                ("device-2-inference", "-e", "TERCET_NODE=device-3"),
                ("cloud-inference", *broken),
                (
                    "device-4-monitor",
                    *("-e", "TERCET_BUS_URL=nats://nowhere:4222"),
                    *("-e", "TERCET_CONNECT_PATIENCE=3"),
                ),
            )
        )
    )
    docker("volume", "rm", "tercet-test-empty")
    assert "device device-1 runs already" in reasons[0]
    assert "inference device-3 runs already" in reasons[1]
    assert "/models has no family" in reasons[2]
    assert "nats://nowhere:4222" in reasons[3]
    active = {device for e in await next_rounds(client, 3) for device in e.assigned}
    assert active == {f"device-{k}" for k in range(1, 6)}


async def test_a_link_is_made_weak_while_it_runs(one_host: Project) -> None:
    relay = ("exec", "-T", "relay", "python", "-m", "tercet.messaging.relay")
    one_host.compose(*relay, "--set", "device-1=20")
    shown = json.loads(one_host.compose(*relay, "--show").stdout)
    assert shown["links"]["device-1"] == 20
    refused = one_host.compose(*relay, "--set", "device-9=20", check=False)
    assert (refused.returncode, "device-9" in refused.stderr) == (2, True)
    one_host.compose(*relay, "--set", "device-1=0")


def tercet(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tercet.cli", *arguments], cwd=ROOT, capture_output=True, text=True
    )


def test_scale_chaos_kill_and_logs_act_on_the_project(one_host: Project) -> None:
    at = ("--project", one_host.name)
    grown = tercet("scale", "world-model", "2", *at)
    assert grown.returncode == 0, grown.stderr
    assert len(grown.stdout.splitlines()) == 2
    killed = tercet("chaos", "kill", "device-5-monitor", *at)
    assert killed.returncode == 0, killed.stderr
    assert killed.stdout.splitlines()[1].split()[1] == "healthy"
    lines = tercet("logs", "device-5-monitor", *at).stdout.splitlines()
    assert all(line.startswith(f"{one_host.name}-device-5-monitor-1 | ") for line in lines)
    assert any('"service started"' in line for line in lines)
    for arguments in (("scale", "broker", "2"), ("logs", "nobody"), ("chaos", "kill", "nobody")):
        refused = tercet(*arguments, *at)
        assert (refused.returncode, len(refused.stderr.splitlines())) == (2, 1)


@pytest.mark.parametrize("file", ["edge", "device"])
def test_without_an_upstream_the_error_names_the_variable(engine: None, file: str) -> None:
    command = ["docker", "compose", "-f", f"compose/{file}.yaml", "config", "-q"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode != 0
    assert "UPSTREAM=" in done.stderr
