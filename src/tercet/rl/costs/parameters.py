"""What is known about costs as plain arrays: published, stored, read without anything unpickled."""

from __future__ import annotations

import json
from dataclasses import fields

import numpy as np
from numpy.typing import NDArray

from tercet.rl.costs.effects import GROUPS, Effects, Names
from tercet.rl.costs.encoding import Registry
from tercet.rl.costs.levels import Levels
from tercet.rl.costs.prediction import Knowledge
from tercet.rl.costs.ratios import BUCKETS, Ratios

Parameters = dict[str, NDArray[np.generic]]

FORMAT = "costs.v1:" + ",".join(group.name for group in GROUPS)
"""Parameters of another format, or of other groups of effects, are refused."""

FAR = 1e9
"""Floor of a link that was never measured, milliseconds."""

LEVELS = tuple(f.name for f in fields(Levels))
NAMES = ("rows", "nodes", "variants")


def to_parameters(known: Knowledge) -> Parameters:
    """All arrays; floats of single precision, names as JSON in bytes."""
    names = {"format": FORMAT} | {n: list(getattr(known.registry, n).number) for n in NAMES}
    found: Parameters = {
        "names": np.frombuffer(json.dumps(names).encode(), dtype=np.uint8),
        "keys": known.effects.keys,
        "mean": known.mean.astype(np.float32),
        "variance": known.variance.astype(np.float32),
        "ratio": known.ratios.ratio.astype(np.float32),
        "scalars": np.array([known.ratios.common, known.noise], dtype=np.float32),
        "cells": known.cells,
        "asks": known.registry.asks.astype(np.float32),
        "weight": known.weight.astype(np.float32),
        "floor": np.array(
            [known.registry.floor.get(k, np.inf) for k in range(len(known.registry.nodes.number))]
        ).clip(max=FAR).astype(np.float32),
    }
    for name in LEVELS:
        found[f"level.{name}"] = getattr(known.levels, name).astype(np.float32)
    return found


def from_parameters(parameters: Parameters) -> Knowledge:
    """The inverse; raises ValueError that names what is missing, malformed or not finite."""
    missing = {"names", "keys", "mean", "variance", "ratio", "scalars", "cells", "weight", "floor"}
    missing |= {"asks"}
    missing |= {f"level.{name}" for name in LEVELS}
    missing -= parameters.keys()
    if missing:
        raise ValueError(f"parameters without {', '.join(sorted(missing))}")
    for name, array in parameters.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise ValueError(f"parameters: {name} is not finite")
    registry = _registry(parameters["names"])
    registry.asks = np.asarray(parameters["asks"], dtype=np.float64)
    floor = np.asarray(parameters["floor"], dtype=np.float64).tolist()
    registry.floor.update({k: ms for k, ms in enumerate(floor) if ms < FAR})
    keys = np.asarray(parameters["keys"], dtype=np.int64)
    mean, variance = (np.asarray(parameters[n], dtype=np.float64) for n in ("mean", "variance"))
    if not len(keys) == len(mean) == len(variance):
        raise ValueError("parameters: keys, mean and variance differ in length")
    if ((keys >> 48) >= len(GROUPS)).any() or (keys < 0).any():
        raise ValueError("parameters: keys of unknown effects")
    ratio = np.asarray(parameters["ratio"], dtype=np.float64).reshape(-1, BUCKETS)
    scalars = np.asarray(parameters["scalars"], dtype=np.float64)
    cells, weight = np.asarray(parameters["cells"], dtype=np.int64), parameters["weight"]
    if len(cells) != len(weight) or scalars.shape != (2,):
        raise ValueError("parameters: cells and weight differ in length")
    effects = Effects()
    effects.restore(keys)
    levels = Levels(**{n: np.asarray(parameters[f"level.{n}"], dtype=np.float64) for n in LEVELS})
    return Knowledge(
        registry, effects, mean, variance, levels, Ratios(ratio, float(scalars[0])),
        float(scalars[1]), cells, np.asarray(weight, dtype=np.float64),
    )  # fmt: skip


def _registry(packed: NDArray[np.generic]) -> Registry:
    """Read the names; raises ValueError."""
    try:
        names = json.loads(np.asarray(packed, dtype=np.uint8).tobytes())
        if names.pop("format") != FORMAT:
            raise ValueError("parameters: of another format")
        lists = {n: [str(x) for x in names[n]] for n in NAMES}
    except (UnicodeDecodeError, json.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"parameters: names cannot be read: {error}") from error
    return Registry(**{n: Names({x: k for k, x in enumerate(v)}) for n, v in lists.items()})
