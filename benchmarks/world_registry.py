"""Worlds by name for `regret`; the drawn ones are drawn anew from each run's seed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from benchmarks.learn import make_environment
from benchmarks.worlds import WORLDS
from tercet.sim import dynamic, free_running, moving, refusing, scenarios, silent, stationary
from tercet.sim.environment import Environment

Factory = Callable[[int], Environment]


def _alike(make: Callable[[], Environment]) -> Factory:
    """The same world for every seed."""
    return lambda seed: make()


def _drawn(make: Callable[..., Environment], **settings: object) -> Factory:
    """Another world for every seed."""
    return lambda seed: make(seed=seed, **settings)


STATIONARY: Mapping[str, Factory] = {
    **{f"paper-{s}": _alike(partial(scenarios.paper, s)) for s in scenarios.LINKS},
    **{name: _alike(make) for name, make in WORLDS.items()},
    "queueing": _drawn(stationary.queueing),
    "slow_int8": _drawn(stationary.slow_int8),
    "contrarian": _drawn(stationary.contrarian),
    "stalls": _drawn(stationary.stalls),
    "noisy": _drawn(stationary.noisy),
    "heavy_tails": _drawn(stationary.heavy_tails),
    "refusals": _drawn(refusing.refusals),
    "timeouts": _drawn(refusing.refusals, result="timed-out"),
    "silent": _drawn(silent.silent),
    "free_running": _drawn(free_running.free_running),
}
"""What is best never changes."""

MOVING: Mapping[str, Factory] = {
    "alternating": _drawn(moving.alternating),
    "alternating_visible": _drawn(moving.alternating, visible=True),
    "wandering": _drawn(moving.wandering),
    "wandering_visible": _drawn(moving.wandering, visible=True),
    "joining": _drawn(moving.joining),
    "markov": _alike(dynamic.markov),
}
"""What is best changes, whatever is assigned: compared with the best fixed assignment too."""

DEFAULT = tuple(name for name in STATIONARY if name != "paper-B")
"""Scenario B is left out: agents are tuned on it."""


def world_named(name: str, seed: int) -> Environment:
    """A world by its name here, or `package.module:factory`; ValueError with the names there are.

    A factory of others is called without arguments.
    """
    if ":" in name:
        return make_environment(name)
    factories = {**STATIONARY, **MOVING}
    if name not in factories:
        known = ", ".join(factories)
        raise ValueError(f"--world must be package.module:factory or one of {known}; not {name!r}")
    return factories[name](seed)
