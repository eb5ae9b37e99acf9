"""Whether arrays from elsewhere are those of a system model or of values, before any is used."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from tercet.rl.planning.conditions import FIELDS
from tercet.rl.planning.transitions import TERMS

Arrays = Mapping[str, NDArray[np.generic]]

SHAPES: dict[str, tuple[int | None, ...]] = {
    "field": (), "draws": (None, TERMS), "mean": (TERMS,), "spread": (), "noise": (), "low": (),
    "grid": (None,), "value": (None,), "others": (None, len(FIELDS)), "follows": (len(FIELDS),),
}  # fmt: skip
"""Shape of each array without its first axis, the conditions; None is any length."""

KINDS = {"field": "iu", "follows": "biu"}
"""Kinds of those that hold no real numbers."""


def checked(parameters: Arrays, names: Sequence[str]) -> tuple[str, ...]:
    """The node of each condition; raises ValueError that names what is missing or malformed.

    Exactly the arrays `names` and the names of the nodes are expected.
    """
    if missing := {*names, "names"} - parameters.keys():
        raise ValueError(f"parameters without {', '.join(sorted(missing))}")
    if unknown := parameters.keys() - {*names, "names"}:
        raise ValueError(f"parameters: unknown arrays {', '.join(sorted(unknown))}")
    nodes = _names(parameters["names"])
    for name in names:
        _check(name, parameters[name], len(nodes))
    field = np.asarray(parameters["field"], dtype=np.int64)
    grid = np.asarray(parameters["grid"], dtype=np.float64)
    if not ((field >= 0) & (field < len(FIELDS))).all():
        raise ValueError("parameters: field is unknown")
    if grid.shape[1] < 2 or not (np.diff(grid, axis=1) > 0).all():
        raise ValueError("parameters: grid does not ascend")
    for name in {"value", "others"} & set(names):
        if parameters[name].shape[1] != grid.shape[1]:
            raise ValueError(f"parameters: {name} does not fit the grid")
    for name in {"spread", "noise"} & set(names):
        if (np.asarray(parameters[name], dtype=np.float64) < 0).any():
            raise ValueError(f"parameters: {name} is negative")
    return nodes


def _names(array: NDArray[np.generic]) -> tuple[str, ...]:
    """A list of names as JSON in bytes; raises ValueError."""
    try:
        found = json.loads(np.asarray(array, dtype=np.uint8).tobytes())
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"parameters: names cannot be read: {error}") from error
    if not isinstance(found, list) or not all(isinstance(name, str) for name in found):
        raise ValueError("parameters: names are no list of names")
    return tuple(found)


def _check(name: str, array: NDArray[np.generic], count: int) -> None:
    """Raise ValueError for an array of another shape or kind, or with a value that is no number."""
    wanted = (count, *SHAPES[name])
    if array.ndim != len(wanted) or any(
        size not in (None, have) for size, have in zip(wanted, array.shape, strict=True)
    ):
        raise ValueError(f"parameters: {name} is of shape {array.shape} for {count} conditions")
    if count and array.dtype.kind not in KINDS.get(name, "f"):
        raise ValueError(f"parameters: {name} is of type {array.dtype}")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise ValueError(f"parameters: {name} is not finite")
