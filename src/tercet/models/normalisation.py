"""How a model wants its pixels: by name, or as a mean and a divisor of each colour."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

NormalisationName = Literal["symmetric", "unit", "imagenet", "raw"]
"""To [-1, 1] (MobileNetV1), to [0, 1], by ImageNet's mean and deviation, or 0..255 as they are."""
Divisor = Annotated[FiniteFloat, Field(gt=0)]


class PixelScaling(BaseModel):
    """(x - mean) / scale for red, green and blue, of pixels x in 0..255."""

    model_config = ConfigDict(frozen=True)

    mean: tuple[FiniteFloat, FiniteFloat, FiniteFloat]
    scale: tuple[Divisor, Divisor, Divisor]


Normalisation = NormalisationName | PixelScaling

BY_NAME: Mapping[NormalisationName, PixelScaling] = {
    "symmetric": PixelScaling(mean=(127.5,) * 3, scale=(127.5,) * 3),
    "unit": PixelScaling(mean=(0.0,) * 3, scale=(255.0,) * 3),
    "imagenet": PixelScaling(mean=(123.675, 116.28, 103.53), scale=(58.395, 57.12, 57.375)),
    "raw": PixelScaling(mean=(0.0,) * 3, scale=(1.0,) * 3),
}


def scaling(normalisation: Normalisation) -> PixelScaling:
    """The mean and the divisor that a normalisation stands for."""
    return normalisation if isinstance(normalisation, PixelScaling) else BY_NAME[normalisation]
