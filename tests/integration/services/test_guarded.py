"""Exploring within a budget, and new parameters that are looked at before they decide."""

from __future__ import annotations

import asyncio

import pytest
import torch
from safetensors.torch import load, save

from tercet.messaging.bus import Bus
from tercet.messaging.parameter_store import ParameterStore
from tercet.schemas.learning import Learning
from tercet.services.orchestrator.decide.policy import RECENT, Policy, Refused
from tests.integration.services.fixtures import fleet, learned_on
from tests.integration.services.test_learning import ROUNDS
from tests.integration.services.test_round_controller import deciding, experiences


def experienced(budget: float | None = None) -> tuple[Policy, bytes]:
    """A policy in force that has seen enough rounds to compare by, and its parameters."""
    policy, blob = Policy(0, budget), learned_on(fleet())
    policy.adopt(1, blob)
    for seen in ROUNDS[:RECENT]:
        policy.screen(seen)
    return policy, blob


def changed(blob: bytes, **to: torch.Tensor) -> bytes:
    return save({**load(blob), **to})


def test_what_is_not_finite_does_not_decide() -> None:
    policy, blob = experienced()
    broken = load(blob)["mean"].clone()
    broken[0, 0] = torch.nan
    with pytest.raises((Refused, ValueError)):
        policy.adopt(2, changed(blob, mean=broken))
    assert policy.version == 1


def test_what_foresees_worse_does_not_decide() -> None:
    policy, blob = experienced()
    with pytest.raises(Refused, match="foresees the latest rounds worse"):
        policy.adopt(2, changed(blob, mean=-load(blob)["mean"]))
    assert policy.version == 1


def test_what_is_as_good_decides() -> None:
    policy, blob = experienced()
    policy.adopt(2, blob)
    assert policy.version == 2


def test_before_there_is_anything_to_compare_by_it_decides() -> None:
    policy, blob = Policy(0), learned_on(fleet())
    policy.adopt(1, blob)
    policy.adopt(2, changed(blob, mean=-load(blob)["mean"]))
    assert policy.version == 2


def test_a_spent_budget_makes_rounds_greedy() -> None:
    policy, _ = experienced(budget=0.0)
    place = (fleet(), ("a", "b"), {}, "min")
    greedy = policy.choose("greedy", *place)
    told = [policy.choose("explore", *place) for _ in range(400)]
    left, held = policy.purse()
    assert left is not None
    assert left >= 0
    assert held > 0
    assert any(choice != greedy for choice in told[:100])
    free, _ = experienced()
    bold = sum(free.choose("explore", *place) != greedy for _ in range(400))
    assert sum(choice != greedy for choice in told) < bold
    assert free.purse() == (None, 0)


async def test_a_refused_version_is_told_and_the_rounds_go_on(bus: Bus) -> None:
    store, heard = await ParameterStore.open(bus), list[Learning]()

    async def on_learning(message: Learning) -> None:
        heard.append(message)

    await bus.subscribe(Learning, on_learning, owner="decider")
    async with deciding(bus, round_period=0.02):
        good = learned_on(fleet())
        await store.publish("policy", good)
        await experiences(bus, 2 * RECENT)
        await store.publish("policy", changed(good, mean=load(good)["mean"] + 50.0))
        for _ in range(600):
            if heard and heard[-1].refused:
                break
            await asyncio.sleep(0.05)
        else:
            pytest.fail("not told")
        assert heard[-1].version == 0
        sofar = len(await experiences(bus, 1))
        await experiences(bus, sofar + 3)
    assert heard[-1].regret_left_ms is not None
