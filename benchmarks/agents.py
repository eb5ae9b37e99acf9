"""Agents by name, with their settings; every table builds them here."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from benchmarks.baselines.adadeep import AdaDeep, AdaDeepSettings
from benchmarks.baselines.autoscale import AutoScale, AutoScaleSettings
from benchmarks.baselines.lints import BANDITS, LinTS
from benchmarks.baselines.profile import ProfileThenSolve
from tercet.rl.agent import Agent
from tercet.rl.hybrid import Hybrid, HybridSettings
from tercet.rl.paper.agent import HybridPaper, HybridPaperSettings
from tercet.rl.platform import Platform

NAMES = (
    "autoscale",
    "autoscale-optimistic",
    "adadeep",
    "hybrid-paper",
    "hybrid-paper-real",
    "lints",
    "loglints",
    "profile",
    "hybrid",
)
"""`autoscale` starts pessimistic, `autoscale-optimistic` must try every action; `hybrid-paper`
plans with its model, `hybrid-paper-real` reads line 30 of Algorithm 1 as a real step."""

WITH_SOLVER = ("lints", "loglints", "profile", "hybrid")
"""These predict a cost table and use our solver; the others choose among joint actions."""


def build(name: str, platform: Platform, seed: int, **settings: Any) -> Agent:
    """A fresh agent; `settings` override its defaults. ValueError for a name not in NAMES."""
    if name in ("autoscale", "autoscale-optimistic"):
        table = AutoScaleSettings(optimistic=name.endswith("optimistic"))
        return AutoScale(platform, seed, replace(table, **settings))
    if name == "adadeep":
        return AdaDeep(platform, seed, replace(AdaDeepSettings(), **settings))
    if name in ("hybrid-paper", "hybrid-paper-real"):
        paper = HybridPaperSettings(real_planning=name.endswith("real"))
        return HybridPaper(platform, seed, replace(paper, **settings))
    if name == "hybrid":
        return Hybrid(platform, seed, replace(HybridSettings(), **settings))
    if name in ("lints", "loglints"):
        return LinTS(platform, seed, replace(BANDITS[name], **settings))
    if name == "profile":
        return ProfileThenSolve(platform, seed, **settings)
    raise ValueError(f"unknown agent {name!r}; one of {', '.join(NAMES)}")
