"""What a model found as plain values, as the messages of the services have them."""

from __future__ import annotations

import base64
import sys
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tercet.models.classifier import ClassifiedPicture
from tercet.models.tensor_signature import DATATYPES


def answer_fields(found: ClassifiedPicture) -> dict[str, Any]:
    """Labels, boxes or tensors, and times."""
    fields: dict[str, Any] = {
        "labels": [{"name": name, "probability": p} for name, p in found.labels],
        "compute_ms": found.compute_ms,
        "emulated": found.emulated,
        "late": found.late,
    }
    if found.picture is not None:
        width, height = found.picture
        fields["boxes"] = [asdict(box) for box in found.boxes]
        fields["picture"] = {"width": width, "height": height}
    if found.tensors:
        fields["tensors"] = [_tensor(name, array) for name, array in found.tensors]
    return fields


def _tensor(name: str, array: NDArray[np.generic]) -> dict[str, Any]:
    ordered = array if sys.byteorder == "little" else array.byteswap()
    return {
        "name": name,
        "datatype": next(named for named, kind in DATATYPES.items() if kind == array.dtype),
        "shape": array.shape,
        "data": base64.b64encode(np.ascontiguousarray(ordered).tobytes()).decode(),
    }
