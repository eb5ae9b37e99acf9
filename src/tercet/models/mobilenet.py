"""MobileNetV1 (Howard et al., 2017) in torch, with the layers of Keras applications.

Names and order of layers are those of Keras, so that published weights can be loaded. Libraries
differ although their weights have the same shapes; `Framework` holds the differences. At stride
2 TensorFlow's `same` pads an even input by one row at the bottom and one column at the right;
torch's `padding=1` also pads top and left, which shifts every feature map.
Input is [N, 3, S, S], RGB, x / 127.5 - 1; output is logits, before any softmax.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from tercet.models.framework import KERAS, RELU6_MAX, Framework
from tercet.models.variants import CLASSES


class Layer(NamedTuple):
    """One convolution with its normalisation and ReLU6, named as in Keras."""

    name: str
    channels_in: int
    channels_out: int
    kernel: int
    stride: int
    depthwise: bool
    framework: Framework = KERAS

    @property
    def groups(self) -> int:
        """Number of convolution groups."""
        return self.channels_in if self.depthwise else 1

    @property
    def padding(self) -> tuple[int, int, int, int]:
        """Top, left, bottom, right."""
        around = self.kernel // 2
        end_only = self.stride == 2 and self.framework.pads_end_only
        return (0, 0, around, around) if end_only else (around,) * 4


# Output channels at width 1 and stride of each of the 13 depthwise-separable blocks.
_BLOCKS = (
    (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2),
    (512, 1), (512, 1), (512, 1), (512, 1), (512, 1), (1024, 2), (1024, 1),
)  # fmt: skip


def layers(width: float, framework: Framework = KERAS) -> list[Layer]:
    """All 27 convolutions of the body, in order."""
    channels = int(32 * width)
    found = [Layer("conv1", 3, channels, 3, 2, depthwise=False, framework=framework)]
    for number, (full, stride) in enumerate(_BLOCKS, start=1):
        out = int(full * width)
        found.append(Layer(f"conv_dw_{number}", channels, channels, 3, stride, True, framework))
        found.append(Layer(f"conv_pw_{number}", channels, out, 1, 1, False, framework))
        channels = out
    return found


class Block(nn.Module):
    """Padding, convolution without bias, batch normalisation, ReLU6."""

    def __init__(self, layer: Layer) -> None:
        super().__init__()
        self.layer = layer
        self.convolution = nn.Conv2d(
            layer.channels_in, layer.channels_out, layer.kernel, layer.stride,
            groups=layer.groups, bias=False,
        )  # fmt: skip
        self.normalisation = nn.BatchNorm2d(layer.channels_out, eps=layer.framework.epsilon)

    def forward(self, pixels: Tensor) -> Tensor:
        """[N, in, S, S] to [N, out, S / stride, S / stride]."""
        top, left, bottom, right = self.layer.padding
        padded = functional.pad(pixels, (left, right, top, bottom))
        normal: Tensor = self.normalisation(self.convolution(padded))
        return normal.clamp(0.0, RELU6_MAX)


class MobileNet(nn.Module):
    """The body of 27 blocks, a global average, and one linear layer."""

    def __init__(self, width: float, classes: int = CLASSES, framework: Framework = KERAS) -> None:
        super().__init__()
        self.width = width
        all_layers = layers(width, framework)
        self.body = nn.Sequential(*(Block(layer) for layer in all_layers))
        self.head = nn.Linear(all_layers[-1].channels_out, classes)

    def features(self, pixels: Tensor) -> Tensor:
        """[N, 3, S, S] to [N, channels]: the body's output, averaged over the picture."""
        return torch.mean(self.body(pixels), dim=(2, 3))

    def forward(self, pixels: Tensor) -> Tensor:
        """[N, 3, S, S] to logits [N, classes]."""
        logits: Tensor = self.head(self.features(pixels))
        return logits
