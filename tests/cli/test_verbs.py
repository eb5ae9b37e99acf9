"""The small verbs, against a real broker: goal, status, topology, reset, audit; their help."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from runtime.bus import Bus
from runtime.replay import last_one
from runtime.store import ParameterStore, read_goal
from schemas.experience import Experience
from tests.conftest import Server
from tests.services.test_deciding import NODES
from tests.services.test_learning import ROUNDS


def tercet(*arguments: str, code: int = 0) -> str:
    """Run a verb; its stdout, or where it is refused what it says on stderr."""
    done = subprocess.run(
        [sys.executable, "-m", "cli", *arguments],
        env={k: v for k, v in os.environ.items() if not k.startswith("TERCET_")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr if code == 2 else done.stdout


async def test_the_goal_is_set_and_read(bus: Bus, server: Server) -> None:
    at = f"--bus={server.url}"
    assert "no goal was ever set" in tercet("goal", at, code=2)
    assert tercet("goal", "80.0", at).startswith("goal 80 (set by ")
    assert json.loads(tercet("goal", at, "--json"))["goal"] == "80"
    goal = await read_goal(bus)
    assert goal is not None
    assert goal.goal == "80"


async def test_a_goal_above_every_variant_is_refused(bus: Bus, server: Server) -> None:
    for node in NODES:
        await bus.publish(node)
    said = tercet("goal", "95", f"--bus={server.url}", code=2)
    assert "above the best variant's accuracy (d0, 89.9 %)" in said
    assert await read_goal(bus) is None


async def test_status_shows_everything(bus: Bus, server: Server) -> None:
    await bus.client.publish("outcome.v1.a", b"nonsense")
    await bus.bury("outcome.v1.a", b"nonsense", "Outcome: message: Invalid JSON")
    await (await ParameterStore.open(bus)).publish("policy", b"x", learned=3)
    found = json.loads(tercet("status", f"--bus={server.url}", "--json"))
    assert {s["name"] for s in found["streams"]} >= {"EXPERIENCE", "OUTCOMES", "DEAD"}
    assert {c["name"] for c in found["consumers"]} >= {"learner-real", "planner", "member-4"}
    assert found["parameters"][0]["learned"] == 3
    assert [lease["holder"] for lease in found["leases"]] == [""] * 5
    assert found["buried"] == [
        {"subject": "dead.outcome.v1.a", "reason": "Outcome: message: Invalid JSON", "count": 1}
    ]
    assert "EXPERIENCE" in tercet("status", f"--bus={server.url}")


async def test_reset_forgets_only_on_purpose(bus: Bus, server: Server) -> None:
    await bus.publish(ROUNDS[0])
    at = f"--bus={server.url}"
    assert "--yes" in tercet("reset", at, code=2)
    assert await last_one(bus, Experience) is not None
    assert tercet("reset", at, "--yes") == "forgot 1 messages\n"
    assert await last_one(bus, Experience) is None


async def test_an_account_that_does_not_balance_is_a_failure(bus: Bus, server: Server) -> None:
    await bus.publish(ROUNDS[0])
    await (await ParameterStore.open(bus)).publish("policy", b"x", learned=1, ids="f" * 32)
    said = tercet("audit", f"--bus={server.url}", "--settle=0", code=1)
    assert "policy: 1 in effect, DOES NOT BALANCE" in said


def test_topology_is_shown_without_a_broker() -> None:
    described = json.loads(tercet("topology", "show", "--json"))
    assert {s["name"] for s in described["streams"]} >= {"EXPERIENCE", "PLAN"}
    assert all(s["reason"] for s in described["streams"])
    assert "why" in tercet("topology", "show")


def test_topology_is_applied_twice(server: Server) -> None:
    at = f"--bus={server.url}"
    assert "created stream EXPERIENCE" in tercet("topology", "apply", at)
    assert tercet("topology", "apply", at) == "nothing to change\n"


@pytest.mark.parametrize(
    "verb", ["goal", "status", "audit", "reset --yes", "topology apply"], ids=str
)
def test_without_a_broker_each_verb_says_so(verb: str, tmp_path: Path) -> None:
    said = tercet(*verb.split(), "--bus=nats://127.0.0.1:9", code=2)
    assert "127.0.0.1:9" in said


@pytest.mark.parametrize("verb", ["up", "goal", "status", "audit", "reset", "topology"])
def test_each_verb_has_help_with_an_example(verb: str) -> None:
    said = " ".join(tercet(verb, "--help").split())
    assert "Example" in said
    assert f"tercet {verb}" in said
