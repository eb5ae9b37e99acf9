"""Read timm's MobileNetV1 weights (`mobilenetv1_100`, a state dict as safetensors).

A stem and thirteen blocks in five stages, each with a depthwise and a pointwise convolution and a
normalisation after both. Padding and epsilon are torch's. The variant with a convolution in its
head (`mobilenetv1_100h`) is another network, and refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file

from tercet.models.errors import ModelError, one_line

Array = NDArray[np.float32]

STAGES = (1, 2, 2, 6, 2)
"""Blocks in each of timm's stages: thirteen in all."""
NORMALISATION = {
    "weight": "scale",
    "bias": "shift",
    "running_mean": "mean",
    "running_var": "variance",
}


def read(path: Path) -> Mapping[str, Array]:
    """All arrays by our names (`tercet.models.published_weights.WeightArrays`).

    Raises `ModelError` if the file has another format.
    """
    try:
        found = load_file(path)
    except (SafetensorError, OSError, ValueError, TypeError, KeyError) as error:
        raise ModelError(f"weights file {path} cannot be read: {one_line(error)}") from error
    if "conv_stem.weight" not in found or "blocks.0.0.conv_dw.weight" not in found:
        raise ModelError(f"weights file {path} is not timm's MobileNetV1: no conv_stem.weight")
    if "conv_head.weight" in found:
        raise ModelError(f"weights file {path}: conv_head.weight: not the plain MobileNetV1")
    arrays: dict[str, Array] = {}
    for (kernel, normal), ours in _layers():
        if f"{kernel}.weight" in found:
            arrays[f"{ours}.kernel"] = found[f"{kernel}.weight"]
        for old, new in NORMALISATION.items():
            if f"{normal}.{old}" in found:
                arrays[f"{ours}.{new}"] = found[f"{normal}.{old}"]
    if "classifier.weight" in found:
        arrays["head.kernel"] = found["classifier.weight"]
        if "classifier.bias" in found:
            arrays["head.bias"] = found["classifier.bias"]
    return arrays


def _layers() -> list[tuple[tuple[str, str], str]]:
    """timm's names of convolution and normalisation, and our name of the layer."""
    names = [(("conv_stem", "bn1"), "conv1")]
    positions = [(stage, block) for stage, count in enumerate(STAGES) for block in range(count)]
    for number, (stage, block) in enumerate(positions, start=1):
        prefix = f"blocks.{stage}.{block}"
        names.append(((f"{prefix}.conv_dw", f"{prefix}.bn1"), f"conv_dw_{number}"))
        names.append(((f"{prefix}.conv_pw", f"{prefix}.bn2"), f"conv_pw_{number}"))
    return names
