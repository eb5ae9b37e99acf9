"""scikit-learn's handwritten digits (1,797 pictures of 8x8 pixels) as a labelled folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

SIDE = 64


def write(directory: Path, every: int = 1) -> Path:
    """One folder per digit; only each `every`-th picture is written."""
    found = load_digits()
    for number, (picture, digit) in enumerate(zip(found.images, found.target, strict=True)):
        if number % every == 0:
            folder = directory / f"digit-{digit}"
            folder.mkdir(parents=True, exist_ok=True)
            grey = np.round(picture * 255 / 16).astype(np.uint8)
            image = Image.fromarray(grey).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
            image.convert("RGB").save(folder / f"{number:04d}.png")
    return directory
