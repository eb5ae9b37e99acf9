"""Exploring within a budget, and new parameters that are validated before they decide."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
from safetensors.numpy import load, save

from tercet.messaging.bus import Bus
from tercet.messaging.parameter_store import ParameterStore
from tercet.schemas.learning import Learning
from tercet.services.orchestrator.decide.policy import RECENT, Policy
from tercet.services.orchestrator.decide.policy_interface import Rejected
from tests.integration.services.fixtures import context, fleet, trained_on
from tests.integration.services.test_learning import ROUNDS
from tests.integration.services.test_round_controller import deciding, experiences


def experienced(budget: float | None = None) -> tuple[Policy, bytes]:
    """A policy that has seen enough rounds to compare on, and its parameters."""
    policy, blob = Policy(0, budget), trained_on(fleet())
    policy.adopt(1, blob)
    for seen in ROUNDS[:RECENT]:
        policy.add_round(seen)
    return policy, blob


def changed(blob: bytes, **to: np.ndarray) -> bytes:
    return save({**load(blob), **to})


def test_parameters_that_are_not_finite_are_rejected() -> None:
    policy, blob = experienced()
    broken = load(blob)["mean"].copy()
    broken[0] = np.nan
    with pytest.raises(ValueError, match="mean is not finite"):
        policy.adopt(2, changed(blob, mean=broken))
    assert policy.version == 1


def test_parameters_that_predict_worse_are_rejected() -> None:
    policy, blob = experienced()
    with pytest.raises(Rejected, match="predicts the latest rounds worse"):
        policy.adopt(2, changed(blob, mean=-load(blob)["mean"]))
    assert policy.version == 1


def test_parameters_that_are_as_good_are_adopted() -> None:
    policy, blob = experienced()
    policy.adopt(2, blob)
    assert policy.version == 2


def test_without_rounds_to_compare_on_parameters_are_adopted() -> None:
    policy, blob = Policy(0), trained_on(fleet())
    policy.adopt(1, blob)
    policy.adopt(2, changed(blob, mean=-load(blob)["mean"]))
    assert policy.version == 2


def test_a_spent_budget_makes_rounds_greedy() -> None:
    policy, _ = experienced(budget=0.0)
    place = context(goal="85")
    greedy = policy.choose("greedy", place)
    chosen = [policy.choose("explore", place) for _ in range(400)]
    left, held = policy.exploration_budget()
    assert left is not None
    assert left >= 0
    assert held > 0
    assert any(choice != greedy for choice in chosen[:100])
    free, _ = experienced()
    bold = sum(free.choose("explore", place) != greedy for _ in range(400))
    assert sum(choice != greedy for choice in chosen) < bold
    assert free.exploration_budget() == (None, 0)


async def test_a_rejected_version_is_reported_and_the_rounds_go_on(bus: Bus) -> None:
    store, reports = await ParameterStore.open(bus), list[Learning]()

    async def on_learning(message: Learning) -> None:
        reports.append(message)

    await bus.subscribe(Learning, on_learning, owner="decider")
    async with deciding(bus, round_period=0.02):
        good = trained_on(fleet())
        await store.publish("policy", good)
        await experiences(bus, 2 * RECENT)
        await store.publish("policy", changed(good, mean=load(good)["mean"] + 50.0))
        for _ in range(600):
            if reports and reports[-1].refused:
                break
            await asyncio.sleep(0.05)
        else:
            pytest.fail("not reported")
        assert reports[-1].version == 0
        sofar = len(await experiences(bus, 1))
        await experiences(bus, sofar + 3)
    assert reports[-1].regret_left_ms is not None
