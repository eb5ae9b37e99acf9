"""What is known about costs as plain arrays: published, stored, read without anything unpickled."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tercet.rl.costs.effects import BITS, GROUPS, Effects, Names
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

SHAPES: dict[str, tuple[int | None, ...]] = {
    **dict.fromkeys(("keys", "mean", "variance", "cells", "weight", "floor", "asks"), (None,)),
    **{f"level.{name}": (None,) for name in LEVELS},
    "ratio": (None, BUCKETS),
    "scalars": (2,),
}
"""Shape of each array; None is any length."""

NOT_NEGATIVE = (
    "variance", "weight", "ratio", "scalars", "floor", "asks", "level.variance", "level.drift",
)  # fmt: skip


def to_parameters(known: Knowledge) -> Parameters:
    """All arrays; floats of single precision, names as JSON in bytes."""
    names = {"format": FORMAT} | {n: list(getattr(known.registry, n).number) for n in NAMES}
    floor = [known.registry.floor.get(k, FAR) for k in range(len(known.registry.nodes.number))]
    real = {
        "mean": known.mean,
        "variance": known.variance,
        "ratio": known.ratios.ratio,
        "scalars": np.array([known.ratios.common, known.noise]),
        "weight": known.weight,
        "floor": np.array(floor).clip(max=FAR),
        "asks": known.registry.asks,
        **{f"level.{name}": getattr(known.levels, name) for name in LEVELS},
    }
    return {
        "names": np.frombuffer(json.dumps(names).encode(), dtype=np.uint8),
        "keys": known.effects.keys,
        "cells": known.cells,
        **{name: array.astype(np.float32) for name, array in real.items()},
    }


def from_parameters(parameters: Parameters) -> Knowledge:
    """The inverse; raises ValueError that names what is missing, malformed or not finite."""
    missing = {*SHAPES, "names"} - parameters.keys()
    if missing:
        raise ValueError(f"parameters without {', '.join(sorted(missing))}")
    found = {name: _checked(name, parameters[name]) for name in SHAPES}
    registry = _registry(parameters["names"])
    _check_sizes(found, registry)
    registry.asks = found["asks"]
    registry.floor.update({k: ms for k, ms in enumerate(found["floor"].tolist()) if ms < FAR})
    effects = Effects()
    effects.restore(found["keys"])
    common, noise = found["scalars"].tolist()
    levels = Levels(**{name: found[f"level.{name}"] for name in LEVELS})
    return Knowledge(
        registry, effects, found["mean"], found["variance"], levels,
        Ratios(found["ratio"], common), noise, found["cells"], found["weight"],
    )  # fmt: skip


def _checked(name: str, array: NDArray[np.generic]) -> NDArray[Any]:
    """An array of the right kind and shape as doubles or integers; raises ValueError."""
    whole = name in ("keys", "cells")
    if array.dtype.kind != ("i" if whole else "f"):
        raise ValueError(f"parameters: {name} is of type {array.dtype}")
    wanted = SHAPES[name]
    if len(wanted) != array.ndim or any(
        size not in (None, have) for size, have in zip(wanted, array.shape, strict=True)
    ):
        raise ValueError(f"parameters: {name} is of shape {array.shape}")
    found = np.asarray(array, dtype=np.int64 if whole else np.float64)
    if not np.isfinite(found).all():
        raise ValueError(f"parameters: {name} is not finite")
    if name in NOT_NEGATIVE and (found < 0).any():
        raise ValueError(f"parameters: {name} is negative")
    return found


def _check_sizes(found: dict[str, NDArray[Any]], registry: Registry) -> None:
    """Raise ValueError when arrays that belong together do not, or effects are unknown."""
    together = [("keys", "mean"), ("keys", "variance"), ("cells", "weight")]
    together += [("level.mean", f"level.{name}") for name in LEVELS]
    for first, second in together:
        if len(found[first]) != len(found[second]):
            raise ValueError(f"parameters: {first} and {second} differ in length")
    if len(found["floor"]) != len(registry.nodes.number):
        raise ValueError("parameters: floor is not one for each node")
    for name in ("keys", "cells"):
        group = found[name] >> 2 * BITS
        if (group >= len(GROUPS)).any() or (group < 0).any():
            raise ValueError(f"parameters: {name} of unknown effects")
    if len(np.unique(found["keys"])) != len(found["keys"]):
        raise ValueError("parameters: keys name an effect twice")
    if (np.diff(found["cells"]) <= 0).any():
        raise ValueError("parameters: cells are not in order")


def _registry(packed: NDArray[np.generic]) -> Registry:
    """Read the names; raises ValueError."""
    try:
        names = json.loads(np.asarray(packed, dtype=np.uint8).tobytes())
        if names.pop("format") != FORMAT:
            raise ValueError("parameters: names are of another format")
        rows, nodes, variants = ([str(x) for x in names[n]] for n in NAMES)
    except (UnicodeDecodeError, json.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"parameters: names cannot be read: {error}") from error
    return Registry(_numbered(rows), _numbered(nodes), _numbered(variants))


def _numbered(names: list[str]) -> Names:
    """Numbers of the names in their order; raises ValueError when one comes twice."""
    if len(set(names)) != len(names):
        raise ValueError("parameters: names are not distinct")
    return Names({name: k for k, name in enumerate(names)})
