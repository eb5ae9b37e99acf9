"""Weights in Keras' files give Keras' logits; wrong padding, kernels or input do not.

`keras_logits.npz` holds the logits of Keras for `keras_fixture`'s weights and pictures. `make
test-keras` computes them again with Keras itself, which also writes the files that are read here.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray

from tercet.models import graph, images, published_weights
from tercet.models.errors import ModelError
from tercet.models.framework import Framework
from tercet.models.mobilenet import Block, MobileNet
from tercet.models.session import Session
from tests.unit.models import keras_fixture

RELATIVE = 1e-4
WIDTHS = tuple(keras_fixture.WIDTHS)
FRESH = os.environ.get("TERCET_KERAS")
"""Directory that `keras_reference.py` has just written, or None."""

Logits = NDArray[np.float32]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The four weights files: as Keras saved them, or in the same layout."""
    if FRESH:
        return Path(FRESH)
    directory = tmp_path_factory.mktemp("keras")
    for width in WIDTHS:
        keras_fixture.write(directory / keras_fixture.file_name(width), width)
    return directory


@pytest.fixture(scope="module")
def expected() -> dict[float, Logits]:
    stored = Path(FRESH) if FRESH else Path(__file__).parent
    with np.load(stored / "keras_logits.npz") as logits:
        return {float(width): logits[width] for width in logits}


@pytest.fixture(scope="module")
def pixels() -> NDArray[np.float32]:
    return images.normalised(keras_fixture.pictures())


def _difference(actual: Logits, expected: Logits) -> float:
    """Largest difference over the largest logit."""
    return float(np.abs(actual - expected).max() / np.abs(expected).max())


def _run(network: MobileNet, pixels: NDArray[np.float32]) -> Logits:
    torch.set_num_threads(1)
    with torch.no_grad():
        return network(torch.from_numpy(pixels)).numpy()


@pytest.mark.parametrize("width", WIDTHS)
def test_logits_are_those_of_keras(
    width: float, files: Path, expected: dict[float, Logits], pixels: NDArray[np.float32],
    tmp_path: Path,
) -> None:  # fmt: skip
    network = published_weights.read(files / keras_fixture.file_name(width))
    onnx.save(graph.to_onnx(network), tmp_path / "model.onnx")
    actual = Session(tmp_path / "model.onnx").run(pixels)
    assert _difference(actual, expected[width]) < RELATIVE
    # The two pictures' logits differ by far more, otherwise agreement would be trivial.
    assert _difference(expected[width][0], expected[width][1]) > 1000 * RELATIVE


def _padded_all_around(network: MobileNet) -> MobileNet:
    return _with_framework(network, Framework(1e-3, pads_end_only=False))


def _with_torchs_epsilon(network: MobileNet) -> MobileNet:
    return _with_framework(network, Framework(1e-5, pads_end_only=True))


def _with_framework(network: MobileNet, framework: Framework) -> MobileNet:
    other = MobileNet(network.width, framework=framework)
    other.load_state_dict(network.state_dict())
    return other.eval()


def _with_a_turned_kernel(network: MobileNet) -> MobileNet:
    block = network.body[13]
    assert isinstance(block, Block) and block.layer.kernel == 3
    with torch.no_grad():
        weight = block.convolution.weight
        weight.copy_(weight.transpose(2, 3).clone())
    return network


def _with_two_layers_exchanged(network: MobileNet) -> MobileNet:
    one, other = network.body[14], network.body[16]
    assert isinstance(one, Block) and isinstance(other, Block)
    state = {k: v.clone() for k, v in one.convolution.state_dict().items()}
    one.convolution.load_state_dict(other.convolution.state_dict())
    other.convolution.load_state_dict(state)
    return network


@pytest.mark.parametrize(
    "spoil",
    [_padded_all_around, _with_torchs_epsilon, _with_a_turned_kernel, _with_two_layers_exchanged],
)
def test_a_slightly_wrong_network_gives_other_logits(
    spoil: Callable[[MobileNet], MobileNet], files: Path, expected: dict[float, Logits],
    pixels: NDArray[np.float32],
) -> None:  # fmt: skip
    network = published_weights.read(files / keras_fixture.file_name(0.25))
    assert _difference(_run(network, pixels), expected[0.25]) < RELATIVE
    assert _difference(_run(spoil(network), pixels), expected[0.25]) > 100 * RELATIVE


@pytest.mark.parametrize(
    "spoil",
    [
        lambda rgb: rgb.astype(np.float32).transpose(0, 3, 1, 2) / 255,
        lambda rgb: images.normalised(rgb[..., ::-1]),
        lambda rgb: images.normalised(rgb.transpose(0, 2, 1, 3)),
    ],
    ids=["zero to one", "blue first", "sides exchanged"],
)
def test_a_wrong_preprocessing_gives_other_logits(
    spoil: Callable[[NDArray[np.uint8]], NDArray[np.float32]], files: Path,
    expected: dict[float, Logits],
) -> None:  # fmt: skip
    network = published_weights.read(files / keras_fixture.file_name(0.25))
    actual = _run(network, np.ascontiguousarray(spoil(keras_fixture.pictures())))
    assert _difference(actual, expected[0.25]) > 100 * RELATIVE


@pytest.fixture
def file(files: Path, tmp_path: Path) -> Path:
    """One weights file to damage."""
    return Path(shutil.copy(files / keras_fixture.file_name(0.25), tmp_path))


def test_a_truncated_file(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:100_000])
    with pytest.raises(ModelError, match=r"mobilenet_2_5_224_tf\.h5 cannot be read"):
        published_weights.read(file)


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda h5: h5.attrs.__delitem__("layer_names"), "no layer_names"),
        (lambda h5: h5.__delitem__("conv_dw_3_bn"), "conv_dw_3_bn"),
        (lambda h5: _replace(h5, "conv_pw_5/conv_pw_5/kernel:0", (1, 1, 64, 63)),
         r"conv_pw_5\.kernel has shape \[63, 64, 1, 1\], not \[64, 64, 1, 1\]"),
        (lambda h5: _replace(h5, "conv1/conv1/kernel:0", (3, 3, 3, 11)), "11 channels"),
        (lambda h5: _replace(h5, "conv_pw_5/conv_pw_5/kernel:0", (1, 1, 64, 64), np.nan),
         r"conv_pw_5\.kernel holds a number that is not finite"),
    ],
)  # fmt: skip
def test_a_damaged_file_is_refused(
    file: Path, damage: Callable[[h5py.File], None], reason: str
) -> None:
    with h5py.File(file, "r+") as h5:
        damage(h5)
    with pytest.raises(ModelError, match=reason) as caught:
        published_weights.read(file)
    assert str(file) in str(caught.value) and "\n" not in str(caught.value)


def _replace(h5: h5py.File, name: str, shape: tuple[int, ...], value: float = 0.0) -> None:
    del h5[name]
    h5.create_dataset(name, data=np.full(shape, value, dtype=np.float32))


def test_files_of_other_formats_and_missing_files(tmp_path: Path) -> None:
    (tmp_path / "note.h5").write_text("not hdf5")
    (tmp_path / "model.pt").write_text("")
    refused = {"note.h5": "cannot be read", "model.pt": "not .h5", "no.h5": "is missing"}
    for name, reason in refused.items():
        with pytest.raises(ModelError, match=reason):
            published_weights.read(tmp_path / name)


def test_the_fixture_imports_neither_tercet_nor_torch() -> None:
    """The environment of Keras (`make test-keras`) has neither."""
    alone = "import sys; sys.modules['tercet'] = sys.modules['torch'] = None; import keras_fixture"
    here = Path(keras_fixture.__file__).parent
    subprocess.run([sys.executable, "-c", alone], cwd=here, check=True)
