"""Read Keras application weights (such as `mobilenet_1_0_224_tf.h5`) with h5py, without Keras.

The layout is that of Keras 2's `save_weights`: the root names its layers in the attribute
`layer_names`; each layer is a group whose attribute `weight_names` lists its arrays in order.
Kernels are [k, k, in, out], depthwise ones [k, k, channels, 1]; torch orders the axes differently.
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
"""Last part of an array's name to our name for it."""
HEAD = "conv_preds"


def read(path: Path) -> Mapping[str, Array]:
    """All arrays by our names (`tercet.models.published_weights.WeightArrays`).

    Raises `ModelError` if the file has another format.
    """
    try:
        with h5py.File(path, "r") as file:
            return _arrays(file, path)
    except ModelError:
        raise
    # h5py raises OSError, KeyError, RuntimeError or ValueError, depending on the damage.
    except Exception as error:
        raise ModelError(f"weights file {path} cannot be read: {one_line(error)}") from error


def _arrays(file: h5py.File, path: Path) -> dict[str, Array]:
    root = file.get("model_weights", file)
    if "layer_names" not in root.attrs:
        raise ModelError(f"weights file {path} is no Keras 2 weights file: no layer_names")
    arrays: dict[str, Array] = {}
    for layer in _names(root.attrs["layer_names"]):
        group = root[layer]
        for name in _names(group.attrs["weight_names"]):
            role = ROLES.get(name.rsplit("/", 1)[-1].partition(":")[0])
            if role is not None:
                key = f"{layer.removesuffix('_bn')}.{role}"
                arrays[key] = _to_torch_axes(np.asarray(group[name], dtype=np.float32), role, name)
    if f"{HEAD}.kernel" in arrays:
        # A 1x1 convolution on one pixel is a matrix product.
        kernel = arrays.pop(f"{HEAD}.kernel")
        arrays["head.kernel"] = kernel.reshape(kernel.shape[:2])
        arrays["head.bias"] = arrays.pop(f"{HEAD}.bias")
    return arrays


def _to_torch_axes(values: Array, role: str, name: str) -> Array:
    """Transpose a kernel to torch's [out, in / groups, k, k], depthwise [channels, 1, k, k]."""
    if role != "kernel" or values.ndim != 4:
        return values
    return values.transpose(2, 3, 0, 1) if "depthwise" in name else values.transpose(3, 2, 0, 1)


def _names(attribute: object) -> list[str]:
    """Names of an attribute: Keras 2 wrote bytes, newer versions write text."""
    return [n.decode() if isinstance(n, bytes) else str(n) for n in np.asarray(attribute).ravel()]
