"""Weights that others trained, read from their files into our MobileNet, whatever the library.

A reader (`tercet.models.keras_file`, `tercet.models.timm_file`) returns `Parts`: arrays in torch's axes, named by our
layers. What is missing or has another shape is named, with the file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from tercet.models import keras_file, timm_file
from tercet.models.errors import ModelError
from tercet.models.mobilenet import KERAS, TORCH, Block, MobileNet, Style
from tercet.models.variants import CLASSES, MOBILENET_VARIANTS

Parts = Mapping[str, NDArray[np.float32]]
"""`conv1.kernel` [out, in / groups, k, k], `conv1.scale`, `.shift`, `.mean`, `.variance` [out], …,
`head.kernel` [classes, channels], `head.bias` [classes]."""
READERS: dict[str, tuple[Callable[[Path], Parts], Style, str]] = {
    ".h5": (keras_file.read, KERAS, "Keras applications"),
    ".hdf5": (keras_file.read, KERAS, "Keras applications"),
    ".safetensors": (timm_file.read, TORCH, "timm"),
}
"""By suffix: reader, style, and whose file it is."""
FULL_STEM = 32
"""Channels of the first convolution at width 1.0."""
NORMAL = ("scale", "shift", "mean", "variance")


def publisher(path: Path) -> str:
    """Whose weights a file of this suffix holds; `ModelError` when no reader knows it."""
    return _reader(path)[2]


def read(path: Path, *, headless: bool = False) -> MobileNet:
    """The network in a file, ready to run; `ModelError` names the file and what is wrong with it.

    `headless` accepts a file without a last layer (Keras' `no_top`); that layer is then random.
    """
    reader, style, _ = _reader(path)
    if not path.is_file():
        raise ModelError(f"weights file {path} is missing")
    parts = reader(path)
    head = parts.get("head.kernel")
    if head is None and not headless:
        raise ModelError(f"weights file {path} has no last layer: it names no class")
    width = _width(parts, path)
    network = MobileNet(width, CLASSES if head is None else len(head), style)
    with torch.no_grad():
        for block in network.body:
            assert isinstance(block, Block)
            _fill(block, parts, path)
        if head is not None:
            _put(network.head.weight, parts, "head.kernel", path)
            _put(network.head.bias, parts, "head.bias", path)
    return network.eval()


def _reader(path: Path) -> tuple[Callable[[Path], Parts], Style, str]:
    try:
        return READERS[path.suffix.lower()]
    except KeyError:
        known = ", ".join(READERS)
        raise ModelError(f"weights file {path}: not {known}; an ONNX file is for `add`") from None


def _width(parts: Parts, path: Path) -> float:
    stem = parts.get("conv1.kernel")
    if stem is None:
        raise ModelError(f"weights file {path} has no first convolution: not a MobileNetV1")
    width = len(stem) / FULL_STEM
    if width not in {row.width for row in MOBILENET_VARIANTS.values()}:
        raise ModelError(
            f"weights file {path}: conv1 has {len(stem)} channels, width {width:g};"
            " there are variants of width 1, 0.75, 0.5 and 0.25"
        )
    return width


def _fill(block: Block, parts: Parts, path: Path) -> None:
    normal, name = block.normalisation, block.layer.name
    assert normal.running_mean is not None and normal.running_var is not None
    places = (normal.weight, normal.bias, normal.running_mean, normal.running_var)
    _put(block.convolution.weight, parts, f"{name}.kernel", path)
    for place, role in zip(places, NORMAL, strict=True):
        _put(place, parts, f"{name}.{role}", path)


def _put(place: torch.Tensor, parts: Parts, name: str, path: Path) -> None:
    values = parts.get(name)
    if values is None:
        raise ModelError(f"weights file {path} lacks {name}")
    if values.shape != tuple(place.shape):
        raise ModelError(
            f"weights file {path}: {name} has shape {list(values.shape)}, not {list(place.shape)}"
        )
    if not np.isfinite(values).all():
        raise ModelError(f"weights file {path}: {name} holds a number that is not finite")
    place.copy_(torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32)))
