"""Layers of the four networks, named after the arrays of their published checkpoints.

All are stacks of inverted residual blocks. MobileNetV2 (Sandler et al., 2018) is torchvision's.
EfficientNet-Lite (Google, 2020) is EfficientNet-B0 (Tan and Le, 2019), scaled, with ReLU6 and
without squeeze-and-excitation. The arrays state channels, kernel sizes and which blocks expand;
here is what they do not state: strides, padding and the order of the layers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tercet.models.framework import KERAS, TORCH, Framework

Arrays = Mapping[str, NDArray[np.float32]]
"""The arrays of a checkpoint by name; kernels are [out, in / groups, k, k]."""
STRIDES = (1, 2, 2, 2, 1, 2, 1)
"""Stride of the first block of each stage, in all four networks."""


class Convolution(NamedTuple):
    """One convolution without bias, and the batch normalisation after it."""

    kernel: str
    """Name of the kernel's array, without `.weight`."""
    normalisation: str
    """Prefix of the normalisation's four arrays."""
    stride: int = 1
    activated: bool = True
    """ReLU6 follows. It does not after the last convolution of a block."""


Block = tuple[Convolution, ...]
"""Convolutions in a row. The input is added to the output where both have the same shape."""


@dataclass(frozen=True, slots=True)
class Network:
    """One network."""

    framework: Framework
    stages: tuple[int, ...]
    """Number of blocks in each stage."""

    @property
    def last_layer(self) -> str:
        """Prefix of the arrays of the linear layer."""
        return "classifier.1" if self.framework is TORCH else "_fc"

    def blocks(self, arrays: Arrays) -> Iterator[Block]:
        """All blocks in order; the first and the last are one convolution each."""
        torchvision = self.framework is TORCH
        stem = ("features.0.0", "features.0.1") if torchvision else ("_conv_stem", "_bn0")
        yield (Convolution(*stem, stride=2),)
        inner = _torchvision_block if torchvision else _efficientnet_block
        strides = [
            stride if number == 0 else 1
            for blocks, stride in zip(self.stages, STRIDES, strict=True)
            for number in range(blocks)
        ]
        for number, stride in enumerate(strides):
            yield inner(arrays, number, stride)
        end = f"features.{len(strides) + 1}"
        head = (f"{end}.0", f"{end}.1") if torchvision else ("_conv_head", "_bn1")
        yield (Convolution(*head),)


def _torchvision_block(arrays: Arrays, number: int, stride: int) -> Block:
    place = f"features.{number + 1}.conv"
    expands = f"{place}.3.weight" in arrays
    first = 1 if expands else 0
    depthwise = Convolution(f"{place}.{first}.0", f"{place}.{first}.1", stride)
    project = Convolution(f"{place}.{first + 1}", f"{place}.{first + 2}", activated=False)
    if not expands:
        return depthwise, project
    return Convolution(f"{place}.0.0", f"{place}.0.1"), depthwise, project


def _efficientnet_block(arrays: Arrays, number: int, stride: int) -> Block:
    place = f"_blocks.{number}"
    depthwise = Convolution(f"{place}._depthwise_conv", f"{place}._bn1", stride)
    project = Convolution(f"{place}._project_conv", f"{place}._bn2", activated=False)
    if f"{place}._expand_conv.weight" not in arrays:
        return depthwise, project
    return Convolution(f"{place}._expand_conv", f"{place}._bn0"), depthwise, project


MOBILENET_V2 = Network(TORCH, (1, 2, 3, 4, 3, 3, 1))
EFFICIENTNET_LITE_0 = Network(KERAS, (1, 2, 2, 3, 3, 4, 1))
EFFICIENTNET_LITE_1 = Network(KERAS, (1, 3, 3, 4, 4, 5, 1))
EFFICIENTNET_LITE_2 = Network(KERAS, (1, 3, 3, 4, 4, 5, 1))
