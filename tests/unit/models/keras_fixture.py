"""Seeded weights and pictures in the layout of Keras' application files; needs no Keras.

Normalisation statistics are random too: with fresh ones the output is nearly the same for every
picture, and a comparison could not fail. `keras_reference.py` loads the same files in Keras.
"""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

Arrays = dict[str, NDArray[np.float64]]

WIDTHS = {1.0: "1_0", 0.75: "7_5", 0.5: "5_0", 0.25: "2_5"}
"""Width to its spelling in the names of the published files."""
SIDE, PICTURES, CLASSES = 224, 2, 1000
BLOCKS = (64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024)


def file_name(width: float) -> str:
    return f"mobilenet_{WIDTHS[width]}_224_tf.h5"


def pictures() -> NDArray[np.uint8]:
    """[PICTURES, SIDE, SIDE, 3]: coarse patches of different colours, with noise."""
    rng = np.random.default_rng(11)
    coarse = rng.integers(0, 256, (PICTURES, 14, 14, 3)).repeat(16, axis=1).repeat(16, axis=2)
    fine = rng.integers(-40, 41, (PICTURES, SIDE, SIDE, 3))
    tint = np.array([[90, 10, -80], [-90, -40, 70]])[:, None, None]
    return np.clip(coarse * 0.6 + 50 + fine + tint, 0, 255).astype(np.uint8)


def write(path: Path, width: float, trained: list[tuple[str, Arrays]] | None = None) -> None:
    """One file: a group per layer, its arrays named in attributes, as `save_weights` of Keras 2.

    Random weights, or `trained` layers.
    """
    found = layers(width) if trained is None else trained
    with h5py.File(path, "w") as file:
        file.attrs["backend"], file.attrs["keras_version"] = b"tensorflow", b"2.1.6"
        file.attrs["layer_names"] = np.array([name.encode() for name, _ in found])
        for name, arrays in found:
            group = file.create_group(name)
            names = [f"{name}/{role}:0".encode() for role in arrays]
            group.attrs["weight_names"] = np.array(names, dtype="S64")
            for role, values in arrays.items():
                group.create_dataset(f"{name}/{role}:0", data=values.astype(np.float32))


def layers(width: float) -> list[tuple[str, Arrays]]:
    """Every layer in Keras' order, those without weights too."""
    rng = np.random.default_rng(round(width * 100))
    channels = int(32 * width)
    found: list[tuple[str, Arrays]] = [("input_1", {})]
    found += _convolution("conv1", (3, 3, 3, channels), rng)
    for number, full in enumerate(BLOCKS, start=1):
        if number in (2, 4, 6, 12):
            found.append((f"conv_pad_{number}", {}))
        found += _convolution(f"conv_dw_{number}", (3, 3, channels, 1), rng)
        out = int(full * width)
        found += _convolution(f"conv_pw_{number}", (1, 1, channels, out), rng)
        channels = out
    kernel = rng.normal(0.0, 1.5 / np.sqrt(channels), (1, 1, channels, CLASSES))
    found += [("global_average_pooling2d_1", {}), ("reshape_1", {}), ("dropout", {})]
    found.append(("conv_preds", {"kernel": kernel, "bias": rng.normal(0.0, 0.5, CLASSES)}))
    return found


def _convolution(
    name: str, shape: tuple[int, ...], rng: np.random.Generator
) -> list[tuple[str, Arrays]]:
    depthwise = "dw" in name
    fan_in = 9 if depthwise else shape[0] * shape[1] * shape[2]
    channels = shape[2] if depthwise else shape[3]
    kernel = rng.normal(0.0, np.sqrt(2.0 / fan_in), shape)
    if shape[0] == 1:  # A common mean of all channels would hide their differences.
        kernel -= kernel.mean(axis=2, keepdims=True)
    normal = {
        "gamma": rng.uniform(1.5, 2.5, channels),
        "beta": rng.normal(0.6, 0.4, channels),
        "moving_mean": rng.normal(0.0, 0.4, channels),
        "moving_variance": rng.uniform(0.7, 2.5, channels),
    }
    weights = {"depthwise_kernel" if depthwise else "kernel": kernel}
    return [(name, weights), (f"{name}_bn", normal), (f"{name}_relu", {})]
