"""`regret --compare AGENT`: cumulative regret of one agent over each baseline's, with intervals.

The ratio of a pair of runs with equal seed is (ours + 1) / (theirs + 1), in optimal windows: the
one keeps a baseline that loses next to nothing from making it infinite. A world's ratio is the
geometric mean over its pairs, the total the geometric mean over worlds. Bounds are one-sided 95 %
bootstrap bounds: pairs are drawn again within each world.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmarks.summary import Row, markdown

DRAWS = 2000
LEVEL = 0.95

Floats = NDArray[np.float64]


def compare(rows: list[Row], ours: str) -> list[Row]:
    """One row per baseline and world (with its goal and feedback), then one for all worlds.

    ValueError when `rows` has no run of `ours`, or none of a baseline with the same seed.
    """
    if not any(row["agent"] == ours for row in rows):
        raise ValueError(f"no run of {ours!r} to compare; add it to --agent")
    baselines = dict.fromkeys(row["agent"] for row in rows if row["agent"] != ours)
    found = [row for baseline in baselines for row in _against(rows, ours, baseline)]
    if not found:
        raise ValueError(f"no run of a baseline to compare {ours!r} with; add one to --agent")
    return found


def _against(rows: list[Row], ours: str, baseline: str) -> list[Row]:
    """Every world, and all of them."""
    rng = np.random.default_rng(0)
    pairs, compared, samples = _pairs(rows, ours, baseline), list[Row](), list[Floats]()
    for (world, goal, feedback), values in pairs.items():
        logs = np.log((values[:, 0] + 1.0) / (values[:, 1] + 1.0))
        samples.append(logs[rng.integers(len(logs), size=(DRAWS, len(logs)))].mean(axis=1))
        means = values.mean(axis=0) + 1.0
        key = {"baseline": baseline, "world": world, "goal": goal, "feedback": feedback}
        ratio = {**_bounds(float(logs.mean()), samples[-1]), "seeds": len(logs)}
        compared.append({**key, **ratio, "ratio_of_means": round(float(means[0] / means[1]), 4)})
    if compared:
        every = float(np.mean([np.log(row["ratio"]) for row in compared]))
        key = {"baseline": baseline, "world": "all", "goal": "", "feedback": ""}
        seeds = min(row["seeds"] for row in compared)
        compared.append({**key, **_bounds(every, np.mean(samples, axis=0)), "seeds": seeds})
    return compared


def _bounds(log_ratio: float, drawn: Floats) -> Row:
    low, high = np.exp(np.quantile(drawn, [1 - LEVEL, LEVEL]))
    return {
        "ratio": round(float(np.exp(log_ratio)), 4),
        "low": round(float(low), 4),
        "high": round(float(high), 4),
    }


def _pairs(rows: list[Row], ours: str, baseline: str) -> dict[tuple[object, ...], Floats]:
    """Cumulative regrets of both, [seeds, 2], by world, goal and feedback."""
    names = ("world", "goal", "feedback")
    runs: dict[tuple[object, ...], dict[str, float]] = {}
    for row in rows:
        key = tuple(row[name] for name in names)
        runs.setdefault((*key, row["seed"]), {})[row["agent"]] = row["cumulative_50"]
    pairs: dict[tuple[object, ...], list[list[float]]] = {}
    for key, by_agent in runs.items():
        if ours in by_agent and baseline in by_agent:
            pairs.setdefault(key[:-1], []).append([by_agent[ours], by_agent[baseline]])
    return {key: np.array(values) for key, values in pairs.items()}


def render(rows: list[Row]) -> str:
    """Markdown."""
    header = ["baseline", "world", "goal", "feedback", "ratio", "95 % bounds", "ratio of means",
              "seeds"]  # fmt: skip
    body: list[list[object]] = [
        [
            *(row[name] for name in header[:4]),
            f"{row['ratio']:.2f}",
            f"{row['low']:.2f} to {row['high']:.2f}",
            f"{row['ratio_of_means']:.2f}" if "ratio_of_means" in row else "",
            row["seeds"],
        ]
        for row in rows
    ]
    text = "(Cumulative executed regret of 50 windows + 1) over the baseline's; below 1 is better."
    return f"{text}\n\n{markdown(header, body)}"
