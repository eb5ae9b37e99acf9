"""Parameters of Q or of the system model as safetensors, together with what they are for."""

from __future__ import annotations

from typing import Any

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray
from safetensors import SafetensorError

from tercet.rl.platform import Platform

Parameters = dict[str, NDArray[Any]]

MADE_FOR = "made_for"
"""Name of the entry that names devices and options, uint8 text; the others are a network's."""


def description(platform: Platform) -> NDArray[np.uint8]:
    """The devices and options whose digits a network takes, as `MADE_FOR` holds them."""
    text = "\n".join((*platform.devices, *map(str, platform.options)))
    return np.frombuffer(text.encode(), dtype=np.uint8).copy()


def check_platform(parameters: Parameters, platform: Platform) -> None:
    """Raise ValueError unless these parameters were made for the devices and options."""
    if not np.array_equal(parameters[MADE_FOR], description(platform)):
        raise ValueError("parameters are for other devices or options")


def to_bytes(parameters: Parameters) -> bytes:
    """Serialise as safetensors."""
    return safetensors.numpy.save({k: np.ascontiguousarray(v) for k, v in parameters.items()})


def from_bytes(data: bytes) -> Parameters:
    """Read what `to_bytes` wrote; raises ValueError with the reason for anything else."""
    try:
        parameters: Parameters = safetensors.numpy.load(data)
    except (SafetensorError, ValueError, KeyError) as error:
        raise ValueError(f"not safetensors: {error}") from error
    if MADE_FOR not in parameters:
        raise ValueError(f"parameters lack {MADE_FOR}: they are not of hybrid-paper")
    for name, values in parameters.items():
        if name == MADE_FOR:
            continue
        if values.dtype != np.float32 or not np.isfinite(values).all():
            raise ValueError(f"{name} is not finite float32")
    return parameters
