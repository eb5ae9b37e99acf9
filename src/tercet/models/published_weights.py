"""Read published weights of Keras or timm into our MobileNet.

A reader (`tercet.models.keras_file`, `tercet.models.timm_file`) returns `WeightArrays`: arrays in
torch's axes, named after our layers. Errors name the file and the array that is missing or has
another shape.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from tercet.models import keras_file, timm_file
from tercet.models.errors import ModelError
from tercet.models.framework import KERAS, TORCH, Framework
from tercet.models.mobilenet import Block, MobileNet
from tercet.models.variants import CLASSES, MOBILENET_VARIANTS

WeightArrays = Mapping[str, NDArray[np.float32]]
"""`conv1.kernel` [out, in / groups, k, k], `conv1.scale`, `.shift`, `.mean`, `.variance` [out], …,
`head.kernel` [classes, channels], `head.bias` [classes]."""
READERS: dict[str, tuple[Callable[[Path], WeightArrays], Framework, str]] = {
    ".h5": (keras_file.read, KERAS, "Keras applications"),
    ".hdf5": (keras_file.read, KERAS, "Keras applications"),
    ".safetensors": (timm_file.read, TORCH, "timm"),
}
"""By suffix: reader, framework, and publisher."""
FULL_STEM = 32
"""Channels of the first convolution at width 1.0."""
NORMALISATION = ("scale", "shift", "mean", "variance")


def publisher(path: Path) -> str:
    """Publisher of a file with this suffix; `ModelError` for an unknown suffix."""
    return _reader(path)[2]


def read(path: Path, *, headless: bool = False) -> MobileNet:
    """The network in a file, ready to run; `ModelError` names the file and what is wrong.

    `headless` accepts a file without a last layer (Keras' `no_top`); that layer is then random.
    """
    reader, framework, _ = _reader(path)
    if not path.is_file():
        raise ModelError(f"weights file {path} is missing")
    arrays = reader(path)
    head = arrays.get("head.kernel")
    if head is None and not headless:
        raise ModelError(f"weights file {path} has no last layer, so it cannot classify")
    width = _width(arrays, path)
    network = MobileNet(width, CLASSES if head is None else len(head), framework)
    with torch.no_grad():
        for block in network.body:
            assert isinstance(block, Block)
            _load_block(block, arrays, path)
        if head is not None:
            _copy(network.head.weight, arrays, "head.kernel", path)
            _copy(network.head.bias, arrays, "head.bias", path)
    return network.eval()


def _reader(path: Path) -> tuple[Callable[[Path], WeightArrays], Framework, str]:
    try:
        return READERS[path.suffix.lower()]
    except KeyError:
        known = ", ".join(READERS)
        raise ModelError(f"weights file {path}: not {known}; an ONNX file is for `add`") from None


def _width(arrays: WeightArrays, path: Path) -> float:
    stem = arrays.get("conv1.kernel")
    if stem is None:
        raise ModelError(f"weights file {path} has no first convolution: not a MobileNetV1")
    width = len(stem) / FULL_STEM
    if width not in {row.width for row in MOBILENET_VARIANTS.values()}:
        raise ModelError(
            f"weights file {path}: conv1 has {len(stem)} channels, width {width:g};"
            " there are variants of width 1, 0.75, 0.5 and 0.25"
        )
    return width


def _load_block(block: Block, arrays: WeightArrays, path: Path) -> None:
    normal, name = block.normalisation, block.layer.name
    assert normal.running_mean is not None and normal.running_var is not None
    targets = (normal.weight, normal.bias, normal.running_mean, normal.running_var)
    _copy(block.convolution.weight, arrays, f"{name}.kernel", path)
    for target, role in zip(targets, NORMALISATION, strict=True):
        _copy(target, arrays, f"{name}.{role}", path)


def _copy(target: torch.Tensor, arrays: WeightArrays, name: str, path: Path) -> None:
    values = arrays.get(name)
    if values is None:
        raise ModelError(f"weights file {path} lacks {name}")
    if values.shape != tuple(target.shape):
        raise ModelError(
            f"weights file {path}: {name} has shape {list(values.shape)}, not {list(target.shape)}"
        )
    if not np.isfinite(values).all():
        raise ModelError(f"weights file {path}: {name} holds a number that is not finite")
    target.copy_(torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32)))
