"""Pictures to calibrate 8-bit forms on, and others to see how like their float form they are."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tercet.models import augment, images
from tercet.models.errors import ImageError
from tercet.models.session import Session
from tercet.models.variants import Normalisation

CALIBRATE, COMPARE = 256, 128
"""Pictures of a folder that are used for either; memory holds them all (0.6 MB each at 224 px)."""
FEWEST = 12
"""Fewer pictures than this are cut into views: each is then seen many times."""
VIEWS = 36
SHARE = 2 / 3
"""Of few pictures, what calibrates; the rest compares."""

Skip = Callable[[str, str], object]
"""Called with the name of a picture that cannot be used, and why."""


def silently(_name: str, _reason: str) -> None:
    """A `Skip` that tells nobody."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """Model inputs [N, 3, S, S] for both purposes; no picture is in both."""

    calibrate: NDArray[np.float32]
    compare: NDArray[np.float32]
    source: str
    """What they are, in plain words."""


@dataclass(frozen=True, slots=True)
class Likeness:
    """How like a float model its 8-bit form is, on pictures it was not calibrated on."""

    pictures: int
    top1_agreement_pct: float
    snr_db: float
    """Power of the float logits over that of the difference, decibels."""
    calibrated_on: str


def gather(
    folder: Path | None,
    input_px: int,
    normalisation: Normalisation = "symmetric",
    skip: Skip = silently,
) -> Calibration:
    """From a folder of pictures, at any depth (default: the photographs shipped).

    Raises `ImageError` when there is none. What cannot be decoded is passed over, and told.
    """
    if folder is None or len(paths := _paths(folder)) < FEWEST:
        return _views(folder, input_px, normalisation, skip)
    rng = np.random.default_rng(0)
    order = [paths[k] for k in rng.permutation(len(paths))]

    def told(path: Path, reason: str) -> None:
        skip(path.relative_to(folder).as_posix(), reason)

    inputs = decoded(order, CALIBRATE + COMPARE, input_px, normalisation, told)
    if len(inputs) < 2:
        raise ImageError(f"image folder {folder} holds no usable picture")
    first = min(CALIBRATE, round(len(inputs) * SHARE))
    source = f"{first} pictures of {folder.name}"
    return Calibration(np.concatenate(inputs[:first]), np.concatenate(inputs[first:]), source)


def decoded(
    paths: Iterable[Path],
    most: int,
    input_px: int,
    normalisation: Normalisation = "symmetric",
    skip: Callable[[Path, str], None] = lambda _path, _reason: None,
) -> list[NDArray[np.float32]]:
    """Model inputs, [1, 3, S, S] each, of the first `most` pictures that can be used."""
    inputs: list[NDArray[np.float32]] = []
    for path in paths:
        if len(inputs) == most:
            break
        try:
            inputs.append(images.decode(images.picture(path).jpeg, input_px, normalisation))
        except ImageError as error:
            skip(path, str(error))
    return inputs


def _paths(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise ImageError(f"image folder {folder} does not exist or is no folder")
    return sorted(p for p in folder.rglob("*") if p.suffix.lower() in images.SUFFIXES)


def _views(
    folder: Path | None, input_px: int, normalisation: Normalisation, skip: Skip
) -> Calibration:
    pictures, skipped = images.load_pictures(folder)
    for name, reason in skipped:
        skip(name, reason)
    calibrate, compare = (
        augment.views(pictures, VIEWS, seed, input_px, normalisation) for seed in (0, 2)
    )
    name = "the photographs shipped" if folder is None else folder.name
    few = "picture" if len(pictures) == 1 else "pictures"
    source = f"{VIEWS} views of {len(pictures)} {few} ({name})"
    return Calibration(calibrate, compare, source)


def likeness(plain: Path, small: Path, calibration: Calibration) -> Likeness:
    """Run both on the pictures that are for comparing."""
    one, other = (_logits(path, calibration.compare) for path in (plain, small))
    agree = float((one.argmax(axis=1) == other.argmax(axis=1)).mean())
    power, error = float((one**2).mean()), float(((one - other) ** 2).mean())
    snr = 10 * np.log10(max(power, 1e-30) / max(error, 1e-30))
    return Likeness(len(one), round(100 * agree, 2), round(float(snr), 2), calibration.source)


def _logits(path: Path, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
    session = Session(path)
    return np.concatenate([session.run(view[np.newaxis]) for view in inputs])
