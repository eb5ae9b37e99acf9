"""Agents by name, with their settings; every table builds them here."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from benchmarks.baselines.autoscale import AutoScale, AutoScaleSettings
from benchmarks.baselines.feasible import FeasibleOnly
from benchmarks.baselines.lints import BANDITS, LinTS
from benchmarks.baselines.profile import ProfileThenSolve
from tercet.rl.agent import Agent
from tercet.rl.hybrid import Hybrid
from tercet.rl.paper.joint import JointActions
from tercet.rl.platform import Platform

NAMES = (
    "autoscale",
    "autoscale-optimistic",
    "autoscale-feasible",
    "adadeep",
    "adadeep-feasible",
    "hybrid-paper",
    "hybrid-paper-real",
    "hybrid-paper-feasible",
    "lints",
    "loglints",
    "profile",
    "hybrid",
)
"""`autoscale` starts pessimistic, `autoscale-optimistic` must try every action; `hybrid-paper`
plans with its model, `hybrid-paper-real` reads line 30 of Algorithm 1 as a real step; those called
`feasible` know which assignments meet the goal, as the last four do."""

WITH_SOLVER = ("lints", "loglints", "profile", "hybrid")
"""These predict a cost table and use our solver; the others choose among joint actions."""


def build(name: str, platform: Platform, seed: int, **settings: Any) -> Agent:
    """A fresh agent; `settings` override its defaults. ValueError for a name not in NAMES."""
    if name not in NAMES:
        raise ValueError(f"unknown agent {name!r}; one of {', '.join(NAMES)}")
    if name == "autoscale-feasible":
        return FeasibleOnly(
            platform, lambda joint: _autoscale(name, platform, seed, joint, settings)
        )
    if name == "hybrid":
        return Hybrid(platform, seed, **settings)
    if name == "profile":
        return ProfileThenSolve(platform, seed, **settings)
    if name in BANDITS:
        return LinTS(platform, seed, replace(BANDITS[name], **settings))
    if name.startswith("autoscale"):
        return _autoscale(name, platform, seed, JointActions(platform), settings)
    return _network_agent(name, platform, seed, settings)


def _autoscale(
    name: str, platform: Platform, seed: int, joint: JointActions, settings: dict[str, Any]
) -> Agent:
    """A table over `joint` actions."""
    table = AutoScaleSettings(optimistic=name.endswith("optimistic"))
    return AutoScale(platform, seed, replace(table, **settings), joint)


def _network_agent(name: str, platform: Platform, seed: int, settings: dict[str, Any]) -> Agent:
    """An agent whose networks need torch, which is imported here."""
    feasible_only = name.endswith("-feasible")
    if name.startswith("adadeep"):
        from benchmarks.baselines.adadeep import AdaDeep, AdaDeepSettings

        deep = AdaDeepSettings(feasible_only=feasible_only)
        return AdaDeep(platform, seed, replace(deep, **settings))
    from tercet.rl.paper.agent import HybridPaper
    from tercet.rl.paper.settings import HybridPaperSettings

    paper = HybridPaperSettings(feasible_only=feasible_only)
    if name.endswith("-real"):
        paper = HybridPaperSettings.with_real_plans()
    return HybridPaper(platform, seed, replace(paper, **settings))
