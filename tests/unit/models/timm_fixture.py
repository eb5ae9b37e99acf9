"""The weights of `keras_fixture` under timm's names, as safetensors; needs no timm."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from tests.unit.models import keras_fixture

WIDTHS = (1.0, 0.25)
STAGES = (1, 2, 2, 6, 2)
ROLES = {
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}


def write(path: Path, width: float) -> None:
    found = dict(keras_fixture.layers(width))
    arrays = {}

    def put(theirs: str, normal: str, ours: str, kernel: str) -> None:
        order = (2, 3, 0, 1) if kernel == "depthwise_kernel" else (3, 2, 0, 1)
        arrays[f"{theirs}.weight"] = found[ours][kernel].transpose(order)
        for old, new in ROLES.items():
            arrays[f"{normal}.{new}"] = found[f"{ours}_bn"][old]
        arrays[f"{normal}.num_batches_tracked"] = np.array(7)

    put("conv_stem", "bn1", "conv1", "kernel")
    places = [f"blocks.{s}.{b}" for s, count in enumerate(STAGES) for b in range(count)]
    for number, where in enumerate(places, start=1):
        put(f"{where}.conv_dw", f"{where}.bn1", f"conv_dw_{number}", "depthwise_kernel")
        put(f"{where}.conv_pw", f"{where}.bn2", f"conv_pw_{number}", "kernel")
    head = found["conv_preds"]
    arrays["classifier.weight"] = head["kernel"][0, 0].T
    arrays["classifier.bias"] = head["bias"]
    whole = {name: np.ascontiguousarray(a, dtype=np.float32) for name, a in arrays.items()}
    save_file({n: a.astype(np.int64) if a.ndim == 0 else a for n, a in whole.items()}, path)
