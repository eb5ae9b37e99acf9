"""Named arrays as safetensors bytes and back: how parameters are published and stored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray
from safetensors import SafetensorError

Parameters = dict[str, NDArray[Any]]
"""Name to array."""


def to_bytes(parameters: Mapping[str, NDArray[Any]]) -> bytes:
    """Serialise as safetensors; the bytes depend on names and values alone."""
    return safetensors.numpy.save({k: np.ascontiguousarray(v) for k, v in parameters.items()})


def from_bytes(data: bytes) -> Parameters:
    """Read what `to_bytes` wrote; raises ValueError with the reason for anything else.

    What the arrays mean, and whether they fit together, is for the caller to check.
    """
    try:
        found: Parameters = safetensors.numpy.load(data)
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"not safetensors: {error}") from error
    return found
