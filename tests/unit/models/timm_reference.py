"""Compute timm's logits: `python -m tests.unit.models.timm_reference DIRECTORY`.

Runs in a separate virtual environment with timm (`make test-timm`). Loads each file into timm's
MobileNetV1, saves it in the format of timm's checkpoints, and writes the logits.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from torch import library

from tests.unit.models import keras_fixture, timm_fixture

# timm imports torchvision, whose compiled part does not load with every build of torch. Its Python
# part then fails at undefined operators. MobileNetV1 uses none of them.
OPERATORS = (
    "nms", "qnms", "roi_align", "_roi_align_backward", "roi_pool", "_roi_pool_backward",
    "ps_roi_align", "_ps_roi_align_backward", "ps_roi_pool", "_ps_roi_pool_backward",
    "deform_conv2d", "_deform_conv2d_backward",
)  # fmt: skip


def main(directory: Path) -> None:
    named = library.Library("torchvision", "DEF")
    for operator in OPERATORS:
        named.define(f"{operator}(Tensor x) -> Tensor")
    from safetensors.torch import load_file, save_file
    from timm.models.efficientnet import _gen_mobilenet_v1

    directory.mkdir(parents=True, exist_ok=True)
    rgb = keras_fixture.pictures().astype(np.float32) / 255
    pictures = torch.from_numpy((rgb - 0.5) / 0.5).permute(
        0, 3, 1, 2
    )  # its default_cfg's mean, std
    logits = {}
    for width in timm_fixture.WIDTHS:
        path = directory / f"timm-{width:g}.safetensors"
        timm_fixture.write(path, width)
        model = _gen_mobilenet_v1("mobilenetv1_100", width).eval()
        model.load_state_dict(load_file(path), strict=True)
        save_file(model.state_dict(), path)
        with torch.no_grad():
            logits[f"{width:g}"] = model(pictures).numpy()
    np.savez_compressed(directory / "timm_logits.npz", **logits)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
