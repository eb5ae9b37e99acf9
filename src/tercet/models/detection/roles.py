"""Which of a detector's several outputs holds boxes, scores, classes and the number of objects."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tercet.models.errors import ModelError

Observed = Mapping[str, NDArray[np.generic]]
"""The outputs of a run on one picture, as the model gives them."""
BOX_NAME, SCORE_NAME = re.compile("box|loc|coord", re.I), re.compile("scor|conf|prob|logit", re.I)
CLASS_NAME, COUNT_NAME = re.compile("class|label|cls", re.I), re.compile("num|count|valid", re.I)


@dataclass(frozen=True, slots=True)
class OutputRoles:
    """Names of the outputs."""

    boxes: str
    scores: str
    classes: str | None
    count: str | None


def assigned(observed: Observed, classes: int) -> OutputRoles | None:
    """Roles by shape, and by name where shapes leave a choice; None where there are no boxes.

    `ModelError` lists the outputs where boxes have no scores.
    """
    boxes = _chosen([name for name, a in observed.items() if a.shape[-1:] == (4,)], BOX_NAME)
    if boxes is None:
        return None
    number = observed[boxes].size // 4
    tables = [
        name
        for name, array in observed.items()
        if array.size in (number * classes, number * (classes + 1)) and name != boxes
        and array.shape[-1] in (classes, classes + 1)
    ]  # fmt: skip
    rows = [name for name, array in observed.items() if array.size == number and name != boxes]
    if (scores := _chosen([n for n in tables if n not in rows], SCORE_NAME)) is not None:
        return OutputRoles(boxes, scores, None, None)
    labels = _labels(observed, rows)
    scores = _chosen([name for name in rows if name != labels], SCORE_NAME)
    if scores is None:
        raise ModelError(f"no scores beside the boxes {boxes}: outputs are {described(observed)}")
    if labels is None and classes != 1:
        raise ModelError(f"no classes beside the boxes {boxes}: outputs are {described(observed)}")
    counts = [n for n, a in observed.items() if a.size == 1 and n not in (boxes, scores, labels)]
    return OutputRoles(boxes, scores, labels, _chosen(counts, COUNT_NAME))


def _labels(observed: Observed, rows: list[str]) -> str | None:
    """The output with a class per box: of whole numbers, by name where there are several."""
    whole = [name for name in rows if np.issubdtype(observed[name].dtype, np.integer)]
    named = [name for name in rows if CLASS_NAME.search(name) and not SCORE_NAME.search(name)]
    return next(iter(whole or named), None)


def _chosen(names: list[str], usual: re.Pattern[str]) -> str | None:
    """The only one of the names, or the first that is usual; None without any."""
    return next((name for name in names if usual.search(name)), names[0] if names else None)


def described(observed: Observed) -> str:
    """Names and shapes of outputs."""
    return ", ".join(f"{name} {list(array.shape)}" for name, array in observed.items())
