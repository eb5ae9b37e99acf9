"""The small verbs, against a real broker: goal, status, topology, reset, audit; their help."""

from __future__ import annotations

import json

import pytest

from tercet.cli import running_system
from tercet.messaging.bus import Bus
from tercet.messaging.operator_settings import read_goal, read_policy, write_policy
from tercet.messaging.parameter_store import ParameterStore
from tercet.messaging.stream_reader import last_message
from tercet.schemas import clock
from tercet.schemas.experience_v2 import Experience
from tercet.schemas.policy import PolicySet
from tercet.schemas.versions import Version, Versions
from tests.conftest import Server
from tests.integration.services.fixtures import NODES
from tests.integration.services.test_learning import ROUNDS
from tests.system.cli.invoke import tercet


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
    refusal = tercet("goal", "95", f"--bus={server.url}", code=2)
    assert "above the best variant's accuracy (d0, 89.9 %)" in refusal
    assert await read_goal(bus) is None


async def test_status_shows_everything(bus: Bus, server: Server) -> None:
    await bus.client.publish("outcome.v1.a", b"nonsense")
    await bus.dead_letter("outcome.v1.a", b"nonsense", "Outcome: message: Invalid JSON")
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


GOOD = Version(version=3, at=clock.now(), learned=30, kept="1", sha256="0" * 64)
BAD = Version(version=5, at=clock.now(), learned=50, refused="slower \x1b[2J")
LAST = Version(version=7, at=clock.now(), learned=70)


async def record(bus: Bus, **fields: object) -> None:
    """Record versions as the orchestrator does."""
    versions = Versions(versions=(GOOD, BAD, LAST), in_force=7, **fields)
    await (await ParameterStore.open(bus)).record(versions)


async def test_versions_are_listed_with_their_states(bus: Bus, server: Server) -> None:
    at = f"--bus={server.url}"
    assert tercet("policy", "list", at) == "versions: none\n"
    await record(bus, good=3, pinned=3)
    await write_policy(bus, PolicySet(action="pin", version=3, by="ann"))
    rows = json.loads(tercet("policy", "list", at, "--json"))
    assert [(row["version"], row["rounds_learned"]) for row in rows] == [(3, 30), (5, 50), (7, 70)]
    states = [row["state"] for row in rows]
    assert states == ["last good, kept, pinned by ann", "refused: slower \x1b[2J", "in force"]
    assert "\x1b" not in tercet("policy", "list", at)
    line = tercet("status", at).splitlines()[2]
    assert line.startswith("policy version 7, pinned (set by ann at ")
    assert "0 refused, 0 times rolled back, exploring unbounded, 0 rounds held back" in line


async def test_a_version_is_pinned_and_released(bus: Bus, server: Server) -> None:
    at = f"--bus={server.url}"
    assert "no version is known" in tercet("policy", "pin", at, code=2)
    await record(bus, good=3)
    assert "no such version is known: 4; there are 3, 7" in tercet("policy", "pin", "4", at, code=2)
    assert "version 5 was refused: slower" in tercet("policy", "pin", "5", at, code=2)
    assert "not both" in tercet("policy", "pin", "3", "--off", at, code=2)
    assert await read_policy(bus) is None
    assert tercet("policy", "pin", at).startswith("pinned version 7 (set by ")
    assert tercet("policy", "pin", "3", at).startswith("pinned version 3 (set by ")
    setting = await read_policy(bus)
    assert setting is not None
    assert (setting.action, setting.version) == ("pin", 3)
    assert json.loads(tercet("policy", "pin", "--off", at, "--json"))["action"] == "release"
    steering = json.loads(tercet("status", at, "--json"))["steering"]
    assert [row["what"] for row in steering] == ["policy.v1"] * 3
    assert all(row["by"] for row in steering)


async def test_there_must_be_something_to_roll_back_to(bus: Bus, server: Server) -> None:
    at = f"--bus={server.url}"
    await (await ParameterStore.open(bus)).record(Versions(versions=(BAD, LAST), in_force=7))
    assert "nothing to roll back to" in tercet("policy", "rollback", at, code=2)
    await record(bus, good=3, pinned=7)
    assert "version 7 is pinned; first" in tercet("policy", "rollback", at, code=2)
    assert await read_policy(bus) is None
    await record(bus, good=3)
    assert tercet("policy", "rollback", at).startswith("back to version 3 (set by ")
    setting = await read_policy(bus)
    assert setting is not None
    assert setting.action == "rollback"


async def test_reset_needs_confirmation(bus: Bus, server: Server) -> None:
    await bus.publish(ROUNDS[0])
    at = f"--bus={server.url}"
    assert "--yes" in tercet("reset", at, code=2)
    assert await last_message(bus, Experience) is not None
    assert tercet("reset", at, "--yes") == "forgot 1 messages\n"
    assert await last_message(bus, Experience) is None


async def test_an_account_that_does_not_balance_is_a_failure(bus: Bus, server: Server) -> None:
    await bus.publish(ROUNDS[0])
    await (await ParameterStore.open(bus)).publish("policy", b"x", learned=1, ids="f" * 32)
    output = tercet("audit", f"--bus={server.url}", "--settle=0", code=1)
    assert "policy: 1 in effect, DOES NOT BALANCE" in output


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
    "verb", ["goal", "status", "audit", "reset --yes", "topology apply", "policy list"], ids=str
)
def test_each_verb_names_the_broker_that_does_not_answer(
    verb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running_system, "CONNECT_TIMEOUT_S", 0.3)
    reason = tercet(*verb.split(), "--bus=nats://127.0.0.1:9", code=2)
    assert "127.0.0.1:9" in reason


@pytest.mark.parametrize("verb", ["up", "goal", "status", "audit", "reset", "topology", "policy"])
def test_each_verb_has_help_with_an_example(verb: str) -> None:
    shown = " ".join(tercet(verb, "--help").split())
    assert "Example" in shown
    assert f"tercet {verb}" in shown
