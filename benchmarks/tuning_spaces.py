"""Settings that `tune` draws from, each agent's first ones, and the caps of its runs."""

from __future__ import annotations

from typing import Any

SPACES: dict[str, dict[str, list[Any]]] = {
    "autoscale": {
        "epsilon": [0.1, 0.3, 0.5, 1.0],
        "half_life": [0.3, 1.0, 3.0, 10.0],
        "floor": [0.0, 0.02, 0.05, 0.1],
        "rate": [0.01, 0.05, 0.2],
        "penalty": [1.0, 1.5, 3.0],
    },
    "adadeep": {
        "hidden": [(64, 32), (64, 64), (128, 64), (128,)],
        "rate": [5e-4, 1e-3, 2e-3],
        "fade": [0.0, 1e-4, 3e-4],
        "batch": [64, 128],
        "train_every": [1, 2],
        "average": [0.005, 0.02],
        "half_life": [300.0, 1000.0, 3000.0],
        "floor": [0.05, 0.1, 0.3],
        "penalty": [1.0, 1.5, 3.0],
        "priority": [0.0, 0.6],
        "logarithm": [True, False],
    },
    "hybrid-paper": {
        "hidden": [(64, 32), (64, 64), (128, 64), (128,)],
        "rate": [5e-4, 1e-3, 2e-3],
        "batch": [64, 128],
        "epochs": [30, 100, 300],
        "direct_steps": [2, 4],
        "world_sessions": [40, 80],
        "plan_sessions": [20, 40, 80],
        "best_actions": [16, 64, 256],
        "average": [0.005, 0.02],
        "epsilon": [0.1, 0.3, 0.6],
        "penalty": [1.0, 1.5, 3.0],
        "priority": [0.0, 0.6],
    },
    "hybrid": {
        "share": [0.02, 0.05, 0.1, 0.2],
        "saved": [0.25, 0.5, 1.0, 2.0],
    },
}
SPACES["lints"] = SPACES["loglints"] = {
    "intercept": [0.3, 0.5, 1.0, 2.0],
    "variant": [0.1, 0.2, 0.4, 0.8],
    "load": [0.1, 0.3, 0.6, 1.0],
    "device": [0.03, 0.1, 0.3],
    "condition": [0.03, 0.1, 0.3, 1.0],
    "noise": [0.02, 0.05, 0.1, 0.3],
    "budget": [None, 0.1, 0.3],
}
SPACES["profile"] = {"ridge": [1e-6, 1e-4, 1e-3, 1e-2, 1e-1, 1.0]}
ALIKE = {
    "autoscale-optimistic": "autoscale",
    "autoscale-feasible": "autoscale",
    "adadeep-feasible": "adadeep",
    "hybrid-paper-real": "hybrid-paper",
    "hybrid-paper-feasible": "hybrid-paper",
}
"""Agents that share the space, the cap and the first setting of another."""
SPACES |= {name: SPACES[other] for name, other in ALIKE.items()}

CAPS = {
    "autoscale": 80_000,
    "adadeep": 8_000,
    "hybrid-paper": 3_000,
}

FIRST: dict[str, dict[str, Any]] = {
    "autoscale": {
        "epsilon": 0.5, "half_life": 2.0, "floor": 0.02, "rate": 0.05, "penalty": 1.5,
    },
    "adadeep": {
        "hidden": (128,), "rate": 1e-3, "fade": 0.0, "batch": 128, "train_every": 1,
        "average": 0.005, "half_life": 300.0, "floor": 0.1, "penalty": 3.0, "priority": 0.0,
        "logarithm": True,
    },
    "hybrid-paper": {
        "hidden": (64, 32), "rate": 3e-4, "batch": 64, "epochs": 30,
        "direct_steps": 2, "world_sessions": 80, "plan_sessions": 80, "best_actions": 16,
        "average": 0.005, "epsilon": 0.3, "penalty": 1.5, "priority": 0.6,
    },
    "hybrid": {"share": 0.05, "saved": 0.5},
}  # fmt: skip
"""Trial 0 of each agent: its defaults before the search."""

FIRST["lints"] = FIRST["loglints"] = {
    "intercept": 1.0, "variant": 1.0, "load": 0.3, "device": 0.3, "condition": 0.3, "noise": 0.1,
    "budget": None,
}  # fmt: skip
FIRST["profile"] = {"ridge": 1e-3}
FIRST |= {name: FIRST[other] for name, other in ALIKE.items()}
