"""The ONNX graph gives the network's outputs; padding and size are those of TensorFlow."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import torch

from tercet.models import graph, seeded_weights
from tercet.models.mobilenet import Block, MobileNet, layers
from tercet.models.session import Session

torch.set_num_threads(1)  # On a busy host its threads wait for each other.
SIDE = 96
VIEWS = torch.rand(4, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(3)) * 2 - 1


def test_the_graph_computes_what_the_network_computes(tmp_path: Path) -> None:
    network = seeded_weights.seeded(0.25, 5, VIEWS)
    path = tmp_path / "network.onnx"
    onnx.save(graph.to_onnx(network, SIDE), path)
    with torch.no_grad():
        expected = network(VIEWS).numpy()
    actual = Session(path).run(VIEWS.numpy())
    assert np.abs(actual - expected).max() < 1e-3 * np.abs(expected).max()


def test_stride_two_pads_bottom_and_right_only_as_tensorflow_does() -> None:
    strided = [layer for layer in layers(1.0) if layer.stride == 2]
    assert [layer.name for layer in strided] == [
        "conv1", "conv_dw_2", "conv_dw_4", "conv_dw_6", "conv_dw_12",
    ]  # fmt: skip
    assert {layer.padding for layer in strided} == {(0, 0, 1, 1)}


def test_padding_gives_the_output_positions_of_tensorflow() -> None:
    first = MobileNet(0.25).body[0].eval()
    assert isinstance(first, Block)
    with torch.no_grad():
        first.convolution.weight.fill_(1.0)
        picture = torch.zeros(1, 3, 4, 4)
        picture[0, 0, 0, 0] = picture[0, 0, 3, 3] = 1.0
        covered = first(picture)[0, 0] > 0
    # Windows start at rows 0 and 2: the first pixel is only in the first, the last in the last.
    assert covered.tolist() == [[True, False], [False, True]]


def test_size_is_that_of_keras_mobilenet() -> None:
    count = sum(parameter.numel() for parameter in MobileNet(1.0).parameters())
    running = sum(b.numel() for n, b in MobileNet(1.0).named_buffers() if "running" in n)
    assert count + running == 4_253_864  # As Keras' own summary prints for alpha 1.0.


def test_another_seed_gives_other_weights() -> None:
    one, same, other = (seeded_weights.seeded(0.25, seed, VIEWS) for seed in (0, 0, 1))
    assert torch.equal(one.head.weight, same.head.weight)
    assert not torch.equal(one.head.weight, other.head.weight)
