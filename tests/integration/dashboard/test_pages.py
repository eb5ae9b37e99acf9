"""The dashboard as a process over HTTP: what it accepts, refuses and serves.

All tests share one broker and one dashboard, and run in the order written.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
import pytest_asyncio

from tercet.messaging.bus import Bus
from tercet.messaging.operator_settings import read_exploration, read_goal, write_goal
from tercet.messaging.stream_reader import last_per_subject
from tercet.schemas.capability import Capability
from tercet.schemas.decision import Decision
from tercet.schemas.exploration import Exploration
from tercet.schemas.goal import GoalSet
from tests.conftest import Server
from tests.integration.dashboard.conftest import Dashboard, Start, StartDashboard, until

pytestmark = pytest.mark.asyncio(loop_scope="module")

HOST = "127.0.0.1"

Consumers = dict[str, list[str]]


async def consumers(bus: Bus) -> Consumers:
    """Return the consumers of each stream."""
    streams = await bus.js.streams_info()
    return {
        str(s.config.name): [c.name for c in await bus.js.consumers_info(str(s.config.name))]
        for s in streams
    }


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def initial_consumers(bus: Bus) -> Consumers:
    """The consumers before any dashboard started."""
    return await consumers(bus)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def dashboard(
    bus: Bus, start_dashboard: StartDashboard, initial_consumers: Consumers
) -> Dashboard:
    """A dashboard; one device and a goal were published before it started."""
    accuracy = {"d0": 89.9, "d3": 74}
    await bus.publish(
        Capability(node="camera", tier="device", home="edge-1", accuracy_pct=accuracy)
    )
    await write_goal(bus, GoalSet(goal="80", by="ann"))
    return start_dashboard()


async def test_messages_published_before_the_start_are_shown(dashboard: Dashboard) -> None:
    state = await asyncio.to_thread(dashboard.state)
    assert state["nodes"]["camera"]["tier"] == "device"
    assert state["site"]["goal"]["goal"] == "80"
    assert state["site"]["goal"]["by"] == "ann"


GOAL = {"goal": "81"}

INVALID_ACTIONS: list[tuple[str, Any, dict[str, str], int, str]] = [
    ("/api/goal", GOAL, {"Origin": "http://evil.example"}, 403, "Origin"),
    ("/api/goal", GOAL, {"Origin": "null"}, 403, "Origin"),
    ("/api/goal", GOAL, {"Host": "evil.example"}, 403, "Host"),
    ("/api/goal", GOAL, {"Host": "[bad"}, 403, "Host"),
    ("/api/goal", GOAL, {"Sec-Fetch-Site": "cross-site"}, 403, "Sec-Fetch-Site"),
    ("/api/goal", b"goal=80", {"Content-Type": "text/plain"}, 415, "application/json"),
    ("/api/goal", b"{", {}, 400, "JSON"),
    ("/api/goal", b"\xff\xfe", {}, 400, "body"),
    ("/api/goal", b"x" * 100_000, {}, 413, "4096"),
    ("/api/goal", {}, {}, 400, "goal"),
    ("/api/goal", {"goal": "101"}, {}, 400, "goal"),
    ("/api/goal", {"goal": 80}, {}, 400, "goal"),
    ("/api/goal", {"goal": "95"}, {}, 400, "above the best variant's accuracy (d0, 89.9 %)"),
    ("/api/goal", {"goal": "80", "by": "x" * 41}, {}, 400, "by"),
    ("/api/goal", {"goal": "80", "by": "a\nb"}, {}, 400, "by"),
    ("/api/goal", {"goal": "80", "sudo": True}, {}, 400, "sudo"),
    ("/api/exploration", {"explore": "no"}, {}, 400, "explore"),
]


async def test_invalid_action_is_refused_in_one_line(dashboard: Dashboard, bus: Bus) -> None:
    before = await read_goal(bus)
    for path, body, headers, status, text in INVALID_ACTIONS:
        found, sent, answer = await asyncio.to_thread(dashboard.ask, path, body, headers)
        assert (found, text in answer.decode()) == (status, True), (text, answer)
        assert answer.count(b"\n") <= 1
        assert "access-control-allow-origin" not in sent
    assert await read_goal(bus) == before
    assert await read_exploration(bus) is None


OUTSIDE_PATHS = (
    "/../settings.py",
    "/..%2f..%2fsettings.py",
    "/%2e%2e/%2e%2e/etc/passwd",
    "/vendor/../../service.py",
    "//etc/passwd",
    "/vendor",
    "/static/index.html",
    "/api/device/..%2f..%2fetc%2fpasswd",
    "/api/device/%3Cscript%3E",
    "/index.html%00.js",
)


async def test_no_path_leads_outside(dashboard: Dashboard) -> None:
    for path in OUTSIDE_PATHS:
        status, _, body = await asyncio.to_thread(dashboard.ask, path)
        assert (status, b"root:" in body) == (404, False), path


async def test_every_response_forbids_foreign_content(dashboard: Dashboard) -> None:
    pages = ("/", "/app.js", "/vendor/uPlot.min.js", "/api/picture", "/nowhere")
    for path in (*pages, "/api/goal"):
        _, headers, _ = await asyncio.to_thread(dashboard.ask, path)
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["x-content-type-options"] == "nosniff"
    text = b"".join([(await asyncio.to_thread(dashboard.ask, path))[2] for path in pages[:2]])
    assert b"http://" not in text
    assert b"https://" not in text


async def test_malformed_messages_are_counted_and_have_no_other_effect(
    dashboard: Dashboard, bus: Bus
) -> None:
    good = Decision(device="camera", option="d0@L", node="camera", goal="80", policy="greedy")
    hostile = [
        ("decision.v1.<script>alert(1)</script>", good.model_dump_json().replace("camera", "<b>")),
        ("decision.v1.camera", "nonsense"),
        ("decision.v1.camera", "null"),
        ("telemetry.v1.camera", '{"node": "camera", "condition": {"cpu": 1e999}}'),
        ("outcome.v1.camera", '{"device": "camera", "response_ms": NaN}'),
        ("round.v1", "[" * 10_000),
        ("learning.v1.policy", "x" * 1_000_000),
    ]
    for subject, body in hostile:
        await bus.client.publish(subject, body.encode())
    await bus.client.publish("decision.v1.camera", b"\xff\x00")
    await bus.publish(good.model_copy(update={"policy": "p" * 900_000}))
    await until(lambda: dashboard.state()["devices"]["camera"]["option"] == "d0@L", "the decision")
    expected = len(hostile) + 1
    await until(lambda: dashboard.state()["site"]["traffic"]["malformed"] == expected, "the count")
    state = await asyncio.to_thread(dashboard.state)
    assert len(state["devices"]["camera"]["policy"]) <= 64
    assert list(state["nodes"]) == ["camera"]
    assert dashboard.process.child.poll() is None


async def test_it_creates_no_stream_and_no_consumer_and_dead_letters_nothing(
    bus: Bus, dashboard: Dashboard, initial_consumers: Consumers, start: Start
) -> None:
    traffic = dashboard.state()["site"]["traffic"]
    crowd = start("benchmarks.synthetic_fleet", crowd=3)
    for _ in range(3):
        await bus.client.publish("decision.v1.camera", b"nonsense")
    malformed, outcomes = traffic["malformed"] + 3, traffic["outcomes"] + 3
    await until(lambda: dashboard.state()["site"]["traffic"]["malformed"] >= malformed, "malformed")
    await until(lambda: dashboard.state()["site"]["traffic"]["outcomes"] >= outcomes, "outcomes")
    crowd.kill()
    assert await consumers(bus) == initial_consumers
    assert (await bus.js.stream_info("DEAD")).state.messages == 0


async def test_read_only_refuses_every_action(bus: Bus, start_dashboard: StartDashboard) -> None:
    before = await read_goal(bus)
    found = start_dashboard(dashboard_read_only=True)
    for path, action in (("/api/goal", {"goal": "75"}), ("/api/exploration", {"explore": False})):
        status, _, body = await asyncio.to_thread(found.ask, path, action)
        assert (status, b"read-only" in body) == (403, True)
    assert await read_goal(bus) == before
    assert await read_exploration(bus) is None


async def test_action_is_recorded_with_its_author_and_time(bus: Bus, dashboard: Dashboard) -> None:
    origin = {"Origin": dashboard.url.rstrip("/")}
    status, _, body = await asyncio.to_thread(
        dashboard.ask, "/api/goal", {"goal": "75", "by": "ann"}, origin
    )
    assert status == 200
    goal = await read_goal(bus)
    assert goal is not None
    assert (goal.goal, goal.by) == ("75", f"ann (dashboard, {HOST})")
    assert json.loads(body)["id"] == str(goal.id)
    action = {"explore": False, "by": "bob"}
    assert (await asyncio.to_thread(dashboard.ask, "/api/exploration", action))[0] == 200
    exploration = await read_exploration(bus)
    assert exploration is not None
    assert (exploration.explore, exploration.by) == (False, f"bob (dashboard, {HOST})")
    kept = [await last_per_subject(bus, GoalSet), await last_per_subject(bus, Exploration)]
    assert [[m.id for m in messages] for messages in kept] == [[goal.id], [exploration.id]]


async def test_port_in_use_is_reported_in_one_line(dashboard: Dashboard, start: Start) -> None:
    second = start("tercet.services.dashboard", dashboard_port=dashboard.port)
    assert await asyncio.to_thread(second.child.wait) == 2
    assert f"{HOST}:{dashboard.port}: Address already in use" in second.log.read_text()


async def test_without_a_broker_an_action_is_refused(server: Server, dashboard: Dashboard) -> None:
    server.kill()
    try:
        await until(lambda: dashboard.state()["site"].get("bus", {}).get("away"), "disconnected")
        status, _, body = await asyncio.to_thread(dashboard.ask, "/api/goal", {"goal": "80"})
        assert (status, b"bus is away" in body) == (503, True)
    finally:
        server.start()
    await until(lambda: not dashboard.state()["site"]["bus"]["away"], "reconnected")
