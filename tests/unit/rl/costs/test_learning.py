"""What the model learns: the mean in milliseconds, in every feedback mode, named by who did it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.agents import build
from benchmarks.lying_world import LIES, LyingWorld
from tercet.rl.costs.model import CostModel
from tercet.rl.experience import Experience, State
from tercet.rl.hybrid import Hybrid
from tercet.rl.options import OPTIONS, PAPER_ACCURACY, Option
from tercet.rl.platform import Platform
from tercet.sim import scenarios
from tercet.sim.run_loop import FEEDBACKS, Feedback, play

CLOUD, EDGE = Option("d0", "C"), Option("d0", "E")
ROWS = ("a", "b", "c", "d")
PLATFORM = Platform(ROWS, ("edge",) * 4, PAPER_ACCURACY)


def taught(
    model: CostModel,
    times: Callable[[int], np.ndarray],
    windows: int,
    option: Option = CLOUD,
    platform: Platform = PLATFORM,
) -> None:
    """Every row uses one option in each window."""
    state = State(platform.devices)
    for window in range(windows):
        ms = dict(zip(platform.devices, times(len(platform.devices)), strict=True))
        mean = float(np.mean(list(ms.values())))
        chosen = dict.fromkeys(platform.devices, option)
        model.observe(Experience(state, chosen, ms, mean, state, 85.0), platform)
        if window % 5 == 4:
            model.fit()


def cost(model: CostModel, platform: Platform = PLATFORM, option: Option = CLOUD) -> float:
    """Expected cost of an option that all rows use, mean over rows."""
    table = model.knowledge.table(platform, State(platform.devices))
    at = int(np.searchsorted(table.levels, len(platform.devices)))
    return float(table.costs[:, platform.index[option], at].mean())


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_stragglers_are_paid_for(seed: int) -> None:
    rng, model = np.random.default_rng(seed), CostModel()
    factors: list[float] = []

    def times(n: int) -> np.ndarray:
        late = np.where(rng.random(n) < 0.06, 15.0, 1.0)
        factors.extend(late)
        return 100.0 * late * np.exp(0.05 * rng.normal(size=n))

    taught(model, times, 50)
    assert cost(model) == pytest.approx(100.0 * np.mean(factors), rel=0.2)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_skewed_body_costs_its_mean(seed: int) -> None:
    rng, model = np.random.default_rng(seed), CostModel()
    taught(model, lambda n: 100.0 * np.exp(0.4 * rng.normal(size=n)), 50)
    assert cost(model) == pytest.approx(100.0 * np.exp(0.08), rel=0.2)


@pytest.mark.parametrize("feedback", FEEDBACKS)
def test_every_feedback_converges(feedback: Feedback) -> None:
    world = scenarios.paper("A")
    agent = build("hybrid", world.platform, 0)
    last = list(play(world, agent, 85.0, 60, 0, feedback))[-10:]
    assert np.median([step.regret for step in last]) <= 0.01


def changed_platforms() -> dict[str, Platform]:
    some = tuple(o for o in OPTIONS if o.variant != "d7")
    return {
        "a row leaves": Platform(ROWS[:3], ("edge",) * 3, PAPER_ACCURACY),
        "a row joins": Platform((*ROWS, "e"), ("edge",) * 5, PAPER_ACCURACY),
        "an edge joins": Platform((*ROWS, "e"), (*("edge",) * 4, "other"), PAPER_ACCURACY),
        "a variant leaves": replace(PLATFORM, options=some),
        "a family joins": Platform(
            (*ROWS, "a/detection"), ("edge",) * 5, PAPER_ACCURACY, host={"a/detection": "a"}
        ),
    }


@pytest.mark.parametrize("name", changed_platforms())
def test_who_comes_or_goes_changes_nothing_about_the_others(name: str) -> None:
    rng, model, other = np.random.default_rng(5), CostModel(), changed_platforms()[name]
    for option in (CLOUD, EDGE, Option("d3", "L")):
        taught(model, lambda n: 90.0 * np.exp(0.05 * rng.normal(size=n)), 10, option)
    before = model.knowledge.table(PLATFORM, State(ROWS))
    after = model.knowledge.table(other, State(other.devices))
    rows = [d for d in ROWS if d in other.devices]
    here, there = ([ROWS.index(d) for d in rows], [after.devices.index(d) for d in rows])
    both = [o for o in PLATFORM.options if o in other.index]
    loads = min(len(before.levels), len(after.levels))
    old = before.costs[np.ix_(here, [PLATFORM.index[o] for o in both], range(loads))]
    new = after.costs[np.ix_(there, [other.index[o] for o in both], range(loads))]
    for k, option in enumerate(both):
        # A processor that another family shares is now tabulated under more than its own load.
        compared = 1 if option.tier == "L" else loads
        np.testing.assert_allclose(new[:, k, :compared], old[:, k, :compared], rtol=1e-6)
    was = cost(model, other)
    taught(model, lambda n: np.full(n, 200.0), 5, CLOUD, other)
    assert cost(model, other) > 1.05 * was


def test_a_row_is_not_offered_a_variant_of_another_family() -> None:
    own = {"a": frozenset({"d0", "d1"})}
    table = CostModel().knowledge.table(replace(PLATFORM, variants=own), State(ROWS))
    offered = {PLATFORM.options[k].variant for k in np.flatnonzero(table.allowed[0])}
    assert offered == own["a"]


def test_a_goal_that_goes_and_returns_is_met_at_once() -> None:
    world = scenarios.paper("A")
    agent = build("hybrid", world.platform, 0)

    def goal(step: int) -> object:
        return "max" if 60 < step <= 100 else "min"

    steps = list(play(world, agent, goal, 130, 0))  # type: ignore[arg-type]
    assert max(step.regret for step in steps[100:]) <= 0.01


def others_ms(lie: str) -> float:
    """Expected mean of the honest devices under the greedy assignment after 120 windows."""
    world = LyingWorld(lie)
    agent, state = Hybrid(world.platform, 0, profile=world.profile_ms), world.reset(7)
    for _ in range(120):
        chosen = agent.act(state, 85.0)
        out = world.step(chosen)
        agent.observe(Experience(state, chosen, out.response_ms, out.average_ms, out.state, 85.0))
        state = out.state
    return world.others_ms(state, agent.greedy(state, 85.0))


@pytest.fixture(scope="module")
def honest_ms() -> float:
    return others_ms("honest")


@pytest.mark.parametrize("lie", LIES)
def test_one_liar_leaves_the_others_within_two_percent(lie: str, honest_ms: float) -> None:
    assert others_ms(lie) / honest_ms <= 1.02
