"""The dashboard as a process, asked by hand: what it refuses, and what never gets in or out."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tercet.messaging.bus import Bus
from tercet.messaging.replay import last_each
from tercet.messaging.store import read_exploration, read_goal, write_goal
from tercet.schemas.capability import Capability
from tercet.schemas.decision import Decision
from tercet.schemas.exploration import Exploration
from tercet.schemas.goal import GoalSet
from tests.conftest import Server
from tests.integration.dashboard.conftest import Dashboard, Start, StartDashboard, until

HOME = "127.0.0.1"


def device(name: str) -> Capability:
    return Capability(node=name, tier="device", home="edge-1", accuracy_pct={"d0": 89.9, "d3": 74})


async def test_it_shows_what_was_said_before_it_came(bus: Bus, dashboard: StartDashboard) -> None:
    await bus.publish(device("camera"))
    await write_goal(bus, GoalSet(goal="80", by="ann"))
    said = dashboard().picture()
    assert said["nodes"]["camera"]["tier"] == "device"
    assert said["site"]["goal"]["goal"] == "80"
    assert said["site"]["goal"]["by"] == "ann"


async def test_it_makes_no_stream_no_consumer_and_buries_nothing(
    bus: Bus, dashboard: StartDashboard, start: Start
) -> None:
    async def consumers() -> dict[str, list[str]]:
        streams = await bus.js.streams_info()
        return {
            str(s.config.name): [c.name for c in await bus.js.consumers_info(str(s.config.name))]
            for s in streams
        }

    before = await consumers()
    found = dashboard()
    start("benchmarks.crowd", crowd=3)
    for _ in range(3):
        await bus.client.publish("decision.v1.camera", b"nonsense")
    await until(lambda: found.picture()["site"]["traffic"]["malformed"] >= 3, "malformed")
    await until(lambda: found.picture()["site"]["traffic"]["outcomes"] >= 3, "outcomes")
    assert await consumers() == before
    assert (await bus.js.stream_info("DEAD")).state.messages == 0


async def test_steering_is_recorded_with_who_and_when(bus: Bus, dashboard: StartDashboard) -> None:
    found = dashboard()
    status, _, body = await asyncio.to_thread(
        found.ask, "/api/goal", {"goal": "80", "by": "ann"}, {"Origin": found.url.rstrip("/")}
    )
    assert status == 200
    goal = await read_goal(bus)
    assert goal is not None
    assert (goal.goal, goal.by) == ("80", f"ann (dashboard, {HOME})")
    assert json.loads(body)["id"] == str(goal.id)
    wish = {"explore": False, "by": "bob"}
    assert (await asyncio.to_thread(found.ask, "/api/exploration", wish))[0] == 200
    exploration = await read_exploration(bus)
    assert exploration is not None
    assert (exploration.explore, exploration.by) == (False, f"bob (dashboard, {HOME})")
    kept = [await last_each(bus, GoalSet), await last_each(bus, Exploration)]
    assert [[m.id for m in messages] for messages in kept] == [[goal.id], [exploration.id]]


GOAL = {"goal": "80"}


WISHES: list[tuple[str, Any, dict[str, str], int, str]] = [
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


async def test_a_wish_that_makes_no_sense_is_refused_in_one_line(
    shown: Dashboard, bus: Bus
) -> None:
    for path, body, headers, status, words in WISHES:
        found, sent, text = await asyncio.to_thread(shown.ask, path, body, headers)
        assert (found, words in text.decode()) == (status, True), (words, text)
        assert text.count(b"\n") <= 1
        assert "access-control-allow-origin" not in sent
    assert await read_goal(bus) is None


@pytest.fixture
async def shown(bus: Bus, dashboard: StartDashboard) -> Dashboard:
    """A dashboard that knows one device."""
    await bus.publish(device("camera"))
    return dashboard()


OUTWARDS = (
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


async def test_no_path_leads_out(shown: Dashboard) -> None:
    for path in OUTWARDS:
        status, _, body = await asyncio.to_thread(shown.ask, path)
        assert (status, b"root:" in body) == (404, False), path


async def test_every_answer_forbids_what_is_not_ours(shown: Dashboard) -> None:
    pages = ("/", "/app.js", "/vendor/uPlot.min.js", "/api/picture", "/nowhere")
    for path in (*pages, "/api/goal"):
        _, headers, _ = await asyncio.to_thread(shown.ask, path)
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["x-content-type-options"] == "nosniff"
    text = b"".join([(await asyncio.to_thread(shown.ask, path))[2] for path in pages[:2]])
    assert b"http://" not in text
    assert b"https://" not in text


async def test_read_only_refuses_and_says_so(bus: Bus, dashboard: StartDashboard) -> None:
    found = dashboard(dashboard_read_only=True)
    for path, wish in (("/api/goal", {"goal": "80"}), ("/api/exploration", {"explore": False})):
        status, _, body = await asyncio.to_thread(found.ask, path, wish)
        assert (status, b"read-only" in body) == (403, True)
    assert await read_goal(bus) is None
    assert await read_exploration(bus) is None


async def test_without_a_bus_nothing_is_changed_and_it_says_so(
    server: Server, bus: Bus, dashboard: StartDashboard
) -> None:
    found = dashboard()
    server.kill()
    try:
        await until(lambda: found.picture()["site"].get("bus", {}).get("away"), "the bus is away")
        status, _, body = await asyncio.to_thread(found.ask, "/api/goal", {"goal": "80"})
        assert (status, b"bus is away" in body) == (503, True)
    finally:
        server.start()
    await until(lambda: not found.picture()["site"]["bus"]["away"], "the bus is back")


async def test_a_port_that_is_taken_is_a_clear_complaint(shown: Dashboard, start: Start) -> None:
    second = start("tercet.services.dashboard", dashboard_port=shown.port)
    assert await asyncio.to_thread(second.child.wait) == 2
    assert f"{HOME}:{shown.port}: Address already in use" in second.log.read_text()


async def test_nonsense_on_the_bus_is_counted_and_harms_nobody(shown: Dashboard, bus: Bus) -> None:
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
    await until(lambda: shown.picture()["devices"]["camera"]["option"] == "d0@L", "the decision")
    expected = len(hostile) + 1
    await until(lambda: shown.picture()["site"]["traffic"]["malformed"] == expected, "the count")
    said = await asyncio.to_thread(shown.picture)
    assert len(said["devices"]["camera"]["policy"]) <= 64
    assert list(said["nodes"]) == ["camera"]
    assert shown.process.child.poll() is None
