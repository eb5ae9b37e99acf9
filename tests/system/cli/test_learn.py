"""`tercet learn`: agents and environments by name, one JSON object per step, one-line errors."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest

from tercet.rl.agent import Agent
from tercet.rl.experience import Outcome, State
from tercet.rl.platform import Assignment, Platform
from tercet.rl.random_agent import RandomSearch
from tercet.sim.scenarios import paper
from tercet.sim.world import World
from tests.system.cli.invoke import invoke, tercet

HERE = __name__


class Broken(World):
    """Its third window takes a time that is no number."""

    count = 0

    def step(self, assignment: Assignment) -> Outcome:
        self.count += 1
        outcome = super().step(assignment)
        odd = {"S2": math.nan} if self.count == 3 else {}
        return Outcome({**outcome.response_ms, **odd}, outcome.state)


def broken() -> World:
    world = paper("A", 2)
    return Broken(world.platform, world.physics, world.initial)


class Deserted(World):
    """All devices have left."""

    def reset(self, seed: int) -> State:
        return replace(super().reset(seed), active=())


def deserted() -> World:
    world = paper("A", 2)
    return Deserted(world.platform, world.physics, world.initial)


def three_devices() -> World:
    return paper("C", 3)


def searching(platform: Platform, seed: int) -> Agent:
    return RandomSearch(platform, seed)


def test_one_json_object_per_step() -> None:
    out = tercet("learn", "--env", f"{HERE}:three_devices", "--agent", f"{HERE}:searching",
                 "--steps", "4", "--seed", "3", "--goal", "max", "--json")  # fmt: skip
    lines = [json.loads(line) for line in out.splitlines()]
    assert [line["step"] for line in lines] == [1, 2, 3, 4]
    assert all(line["seed"] == 3 for line in lines)
    assert [line["accuracy_pct"] for line in lines] == pytest.approx([89.9] * 4)
    assert lines[-1]["cumulative_regret"] == pytest.approx(sum(x["executed_regret"] for x in lines))
    assert {"regret", "response_ms", "exact"} <= {*lines[0]}


@pytest.mark.parametrize("agent", ["hybrid", "hybrid-paper", "hybrid-paper-real", "random"])
@pytest.mark.parametrize("feedback", ["parts", "totals", "mean"])
def test_every_named_agent_runs_and_repeats(agent: str, feedback: str) -> None:
    given = ("learn", "--env", f"{HERE}:three_devices", "--agent", agent, "--steps", "3")
    found = [tercet(*given, "--feedback", feedback, "--json") for _ in range(2)]
    assert found[0] == found[1]


def test_text_is_progress_on_stderr_and_a_summary_on_stdout() -> None:
    done = invoke("learn", "--agent", "random", "--steps", "40", "--goal", "min")
    assert done.code == 0
    assert done.stdout.startswith("steps to optimal (within 1 %): ")
    assert "steps that missed the goal: 0" in done.stdout
    assert len(done.stderr.splitlines()) == 20


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--env", "nowhere:x"), "--env nowhere:x: No module named 'nowhere'"),
        (("--env", "nonsense"), "expected paper-A..D or package.module:factory"),
        (("--env", "paper-E"), "scenario must be one of A, B, C, D, not 'E'"),
        (("--env", "tercet.sim.scenarios:LINKS"), "not callable"),
        (("--env", "json:JSONDecoder"), "it made something without platform, reset, step"),
        (("--env", f"{HERE}:deserted"), "step 1: state.active: no device is active"),
        (("--env", f"{HERE}:broken"), "step 3: response_ms: S2 is nan, must be finite"),
        (("--agent", "nobody"), "--agent nobody: expected hybrid, hybrid-paper"),
        (("--agent", "builtins:divmod"), "--agent builtins:divmod: unsupported operand"),
        (("--agent", f"{HERE}:test_one_json_object_per_step"), "takes 0 positional arguments"),
        (("--goal", "850"), "goal must be min, max or a number 0..100"),
        (("--goal", "95"), "above the best variant's accuracy (d0, 89.9 %)"),
        (("--feedback", "all"), "--feedback must be one of parts, totals, mean, not 'all'"),
        (("--agent", "hybrid-paper", "--env", "tercet.sim.scenarios:fifty"), "too many"),
    ],
)
def test_bad_input_is_one_line_and_status_two(arguments: tuple[str, ...], message: str) -> None:
    done = invoke("learn", "--agent", "random", "--steps", "5", "--json", *arguments)
    assert done.code == 2
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_random_search_meets_the_goal_and_keeps_the_best() -> None:
    world = paper("A", 3)
    agent, state = RandomSearch(world.platform, 0), world.reset(1)
    before = agent.greedy(state, 88.0)
    assert before == agent.greedy(state, 88.0)
    accuracies = world.platform.accuracy
    for _ in range(20):
        chosen = agent.act(state, 88.0)
        assert sum(accuracies[o.variant] for o in chosen.values()) / 3 >= 88.0
