"""Keras application weights (`mobilenet_1_0_224_tf.h5` and its kin), read with h5py alone.

The layout is that of Keras 2's `save_weights`: the root names its layers in the attribute
`layer_names`; each layer is a group whose attribute `weight_names` lists its arrays in order.
Kernels are [k, k, in, out], depthwise ones [k, k, channels, 1]; torch has the axes the other way.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from tercet.models.errors import ModelError, one_line

Array = NDArray[np.float32]

ROLES = {
    "kernel": "kernel",
    "depthwise_kernel": "kernel",
    "gamma": "scale",
    "beta": "shift",
    "moving_mean": "mean",
    "moving_variance": "variance",
    "bias": "bias",
}
"""Last part of an array's name to what it is for us."""
HEAD = "conv_preds"


def read(path: Path) -> Mapping[str, Array]:
    """All arrays by our names (`tercet.models.published_weights.Parts`); `ModelError` if this is no such file."""
    try:
        with h5py.File(path, "r") as file:
            return _parts(file, path)
    except ModelError:
        raise
    # h5py raises whatever its C library finds first: OSError, KeyError, RuntimeError, ValueError.
    except Exception as error:
        raise ModelError(f"weights file {path} cannot be read: {one_line(error)}") from error


def _parts(file: h5py.File, path: Path) -> dict[str, Array]:
    root = file.get("model_weights", file)
    if "layer_names" not in root.attrs:
        raise ModelError(f"weights file {path} is no Keras 2 weights file: no layer_names")
    parts: dict[str, Array] = {}
    for layer in _names(root.attrs["layer_names"]):
        group = root[layer]
        for name in _names(group.attrs["weight_names"]):
            role = ROLES.get(name.rsplit("/", 1)[-1].partition(":")[0])
            if role is not None:
                key = f"{layer.removesuffix('_bn')}.{role}"
                parts[key] = _turned(np.asarray(group[name], dtype=np.float32), role, name)
    if f"{HEAD}.kernel" in parts:
        # A 1x1 convolution on one pixel is a matrix.
        kernel = parts.pop(f"{HEAD}.kernel")
        parts["head.kernel"] = kernel.reshape(kernel.shape[:2])
        parts["head.bias"] = parts.pop(f"{HEAD}.bias")
    return parts


def _turned(values: Array, role: str, name: str) -> Array:
    """A kernel in torch's axes: [out, in / groups, k, k]; depthwise [channels, 1, k, k]."""
    if role != "kernel" or values.ndim != 4:
        return values
    return values.transpose(2, 3, 0, 1) if "depthwise" in name else values.transpose(3, 2, 0, 1)


def _names(attribute: object) -> list[str]:
    """Bytes as Keras wrote them, or text as newer ones do."""
    return [n.decode() if isinstance(n, bytes) else str(n) for n in np.asarray(attribute).ravel()]
