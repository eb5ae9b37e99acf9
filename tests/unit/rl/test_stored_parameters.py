"""Parameters that earlier releases wrote with torch stay readable, and are written the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tercet.rl.experience import State
from tercet.rl.hybrid import decide, from_bytes, to_bytes
from tercet.rl.network import NAMES
from tercet.rl.options import PAPER_ACCURACY
from tercet.rl.platform import Platform

STORED = (Path(__file__).parent / "written_by_torch.safetensors").read_bytes()
"""Two members after three rounds of two devices, written by `safetensors.torch.save`."""
PLATFORM = Platform(("a", "b"), ("edge",) * 2, PAPER_ACCURACY)


def test_names_shapes_and_types_are_as_written() -> None:
    found = {name: (str(a.dtype), a.shape) for name, a in from_bytes(STORED).items()}
    assert found == {
        "columns": ("uint8", (5135,)),
        "mean": ("float32", (2, 223)),
        "sample": ("float32", (2, 223)),
        "scale": ("float32", (2, 16)),
        "hidden.weight": ("float32", (2, 2, 25)),
        "hidden.bias": ("float32", (2, 2)),
        "noise": ("float32", (2,)),
    }
    assert set(found) == set(NAMES)


def test_written_again_they_are_the_same_bytes() -> None:
    assert to_bytes(from_bytes(STORED)) == STORED


def test_they_decide_what_they_decided_then() -> None:
    decision = decide(from_bytes(STORED), PLATFORM, State(PLATFORM.devices), 80.0)
    assert {d: str(o) for d, o in decision.assignment.items()} == {"a": "d0@L", "b": "d3@L"}
    assert decision.average_ms == pytest.approx(134.4101237196251, rel=1e-12)


def test_a_type_that_numpy_does_not_have_is_malformed() -> None:
    header = STORED.replace(
        b'"noise":{"dtype":"F32","shape":[2]', b'"noise":{"dtype":"BF16","shape":[4]'
    )
    grown = (len(header) - len(STORED) + int.from_bytes(STORED[:8], "little")).to_bytes(8, "little")
    with pytest.raises(ValueError, match="not safetensors"):
        from_bytes(grown + header[8:])


def test_arrays_are_not_copied_by_accident_of_their_layout() -> None:
    """A view that is not contiguous is written as what it shows."""
    parameters = from_bytes(STORED)
    view = np.repeat(parameters["mean"], 2, axis=0)[::2]
    assert to_bytes(parameters | {"mean": view}) == STORED
