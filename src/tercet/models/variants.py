"""The eight MobileNetV1 variants, d0..d7, of the paper's Table III.

The accuracies are those *published* for ImageNet by the authors of MobileNetV1 (float) and of its
8-bit models; the paper uses top-5. They belong to the architecture, not to the weights at hand.
Every manifest names the source of its figure.

The published operations are the public table's. Counted from the graph they are 568.7, 325.4, 149.5
and 41.0 million: the 317 of width 0.75 leaves out the first convolution (8.1 million), which the
other three include; the architecture's own paper prints 325. Manifests show the count.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from tercet.models.errors import ModelError

Precision = Literal["fp32", "int8"]

INPUT_PX = 224
"""Side of the square input of all eight, pixels."""
CLASSES = 1000
"""Number of classes of ImageNet, and of the published models."""


@dataclass(frozen=True, slots=True)
class Variant:
    """One row of Table III."""

    name: str
    width: float
    """Multiplier on the number of channels of every layer."""
    precision: Precision
    published_million_macs: int
    """Multiply-accumulates of one inference, millions, as published (see above for d1)."""
    published_top5_pct: float
    published_top1_pct: float
    input_px: int = INPUT_PX


def _table(*rows: Variant) -> Mapping[str, Variant]:
    return MappingProxyType({row.name: row for row in rows})


MOBILENET_VARIANTS = _table(
    Variant("d0", 1.0, "fp32", 569, 89.9, 70.9),
    Variant("d1", 0.75, "fp32", 317, 88.2, 68.4),
    Variant("d2", 0.5, "fp32", 150, 84.9, 63.3),
    Variant("d3", 0.25, "fp32", 41, 74.2, 49.8),
    Variant("d4", 1.0, "int8", 569, 88.9, 70.1),
    Variant("d5", 0.75, "int8", 317, 87.0, 66.8),
    Variant("d6", 0.5, "int8", 150, 83.2, 60.7),
    Variant("d7", 0.25, "int8", 41, 72.8, 48.0),
)
"""By name. The order says nothing about speed, which depends on the host and is measured."""


def variant(name: str) -> Variant:
    """The variant of this name; `ModelError` if unknown."""
    try:
        return MOBILENET_VARIANTS[name]
    except KeyError:
        raise ModelError(
            f"unknown variant {name!r}: known are {', '.join(MOBILENET_VARIANTS)}"
        ) from None


def int8_form(variant: Variant) -> Variant:
    """The 8-bit variant of the same width."""
    return find_variant(variant.width, "int8")


def find_variant(width: float, precision: Precision) -> Variant:
    """The variant of this width and precision."""
    for row in MOBILENET_VARIANTS.values():
        if (row.width, row.precision) == (width, precision):
            return row
    raise ModelError(f"no variant has width {width} and precision {precision}")
