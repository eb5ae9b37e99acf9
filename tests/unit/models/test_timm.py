"""Weights in timm's state dicts give timm's logits; Keras' padding or epsilon would not.

`timm_logits.npz` holds timm's logits for `timm_fixture`'s weights; `make test-timm` computes them
again.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from tercet.models import images, published_weights
from tercet.models.errors import ModelError
from tercet.models.framework import KERAS
from tercet.models.mobilenet import MobileNet
from tests.unit.models import keras_fixture, timm_fixture

RELATIVE = 1e-4
FRESH = os.environ.get("TERCET_TIMM")
"""Directory that `timm_reference.py` has just written, or None."""


@pytest.fixture(scope="module")
def expected() -> dict[float, NDArray[np.float32]]:
    stored = Path(FRESH) if FRESH else Path(__file__).parent
    with np.load(stored / "timm_logits.npz") as logits:
        return {float(width): logits[width] for width in logits}


def _file(width: float, directory: Path) -> Path:
    if FRESH:
        return Path(FRESH) / f"timm-{width:g}.safetensors"
    path = directory / "model.safetensors"
    timm_fixture.write(path, width)
    return path


def _difference(network: MobileNet, expected: NDArray[np.float32]) -> float:
    torch.set_num_threads(1)
    with torch.no_grad():
        pixels = torch.from_numpy(images.normalised(keras_fixture.pictures()))
        actual = network(pixels).numpy()
    return float(np.abs(actual - expected).max() / np.abs(expected).max())


@pytest.mark.parametrize("width", timm_fixture.WIDTHS)
def test_logits_are_those_of_timm(
    width: float, expected: dict[float, NDArray[np.float32]], tmp_path: Path
) -> None:
    network = published_weights.read(_file(width, tmp_path))
    assert _difference(network, expected[width]) < RELATIVE
    other = MobileNet(width, framework=KERAS)
    other.load_state_dict(network.state_dict())
    assert _difference(other.eval(), expected[width]) > 100 * RELATIVE


@pytest.mark.parametrize(
    ("name", "shape", "reason"),
    [
        ("conv_head.weight", (8, 8, 1, 1), "not the plain MobileNetV1"),
        ("blocks.3.2.bn2.running_var", None, r"lacks conv_pw_8\.variance"),
        ("conv_stem.weight", (40, 3, 3, 3), "40 channels, width 1.25"),
        ("classifier.weight", None, "no last layer"),
        ("blocks.4.0.conv_dw.weight", (128, 1, 5, 5), r"conv_dw_12\.kernel has shape"),
    ],
)
def test_another_state_dict_is_refused(
    tmp_path: Path, name: str, shape: tuple[int, ...] | None, reason: str
) -> None:
    path = tmp_path / "model.safetensors"
    timm_fixture.write(path, 0.25)
    arrays = load_file(path)
    arrays.pop(name, None)
    if shape is not None:
        arrays[name] = np.zeros(shape, dtype=np.float32)
    save_file(arrays, path)
    with pytest.raises(ModelError, match=reason):
        published_weights.read(path)


def test_a_truncated_file(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    timm_fixture.write(path, 0.25)
    path.write_bytes(path.read_bytes()[:10_000])
    with pytest.raises(ModelError, match="cannot be read"):
        published_weights.read(path)
