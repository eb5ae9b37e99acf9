"""Pictures to calibrate 8-bit models on, and others to compare them with their float models."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tercet.models import augment, images
from tercet.models.errors import ImageError
from tercet.models.normalisation import Normalisation
from tercet.models.session import Session
from tercet.models.tensor_form import TensorForm

MAX_CALIBRATION, MAX_COMPARISON = 256, 128
"""Pictures of a folder used for each purpose. All are held in memory (0.6 MB each at 224 px)."""
MIN_PICTURES = 12
"""With fewer pictures than this, `VIEWS` random views of them are used."""
VIEWS = 36
CALIBRATION_SHARE = 2 / 3
"""Share of a small folder that calibrates; the rest is for comparison."""

OnSkipped = Callable[[str, str], object]
"""Called with the name of a picture that cannot be used, and why."""


def ignore_skipped(_name: str, _reason: str) -> None:
    """An `OnSkipped` that does nothing."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """Model inputs [N, 3, S, S] for both purposes. No picture is in both."""

    calibrate: NDArray[np.float32]
    compare: NDArray[np.float32]
    source: str
    """Description of the calibration pictures."""


@dataclass(frozen=True, slots=True)
class QuantisationFidelity:
    """Agreement of an 8-bit model with its float model, on pictures it was not calibrated on."""

    pictures: int
    top1_agreement_pct: float
    snr_db: float
    """Power of the float logits over that of the difference, decibels."""
    calibrated_on: str


def collect(
    folder: Path | None,
    input_px: int,
    normalisation: Normalisation = "symmetric",
    on_skipped: OnSkipped = ignore_skipped,
) -> Calibration:
    """Calibration pictures from a folder, at any depth (default: the photographs shipped).

    `on_skipped` is called for each picture that cannot be decoded. Raises `ImageError` when no
    picture is usable.
    """
    if folder is None or len(paths := _paths(folder)) < MIN_PICTURES:
        return _views(folder, input_px, normalisation, on_skipped)
    rng = np.random.default_rng(0)
    order = [paths[k] for k in rng.permutation(len(paths))]

    def relative(path: Path, reason: str) -> None:
        on_skipped(path.relative_to(folder).as_posix(), reason)

    inputs = decoded(order, MAX_CALIBRATION + MAX_COMPARISON, input_px, normalisation, relative)
    if len(inputs) < 2:
        raise ImageError(f"image folder {folder} holds no usable picture")
    first = min(MAX_CALIBRATION, round(len(inputs) * CALIBRATION_SHARE))
    source = f"{first} pictures of {folder.name}"
    return Calibration(np.concatenate(inputs[:first]), np.concatenate(inputs[first:]), source)


def decoded(
    paths: Iterable[Path],
    limit: int,
    input_px: int,
    normalisation: Normalisation = "symmetric",
    on_skipped: Callable[[Path, str], None] = lambda _path, _reason: None,
) -> list[NDArray[np.float32]]:
    """Model inputs, [1, 3, S, S] each, of the first `limit` usable pictures."""
    inputs: list[NDArray[np.float32]] = []
    for path in paths:
        if len(inputs) == limit:
            break
        try:
            inputs.append(images.decode(images.picture(path).jpeg, input_px, normalisation))
        except ImageError as error:
            on_skipped(path, str(error))
    return inputs


def _paths(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise ImageError(f"image folder {folder} does not exist or is no folder")
    return sorted(p for p in folder.rglob("*") if p.suffix.lower() in images.SUFFIXES)


def _views(
    folder: Path | None, input_px: int, normalisation: Normalisation, on_skipped: OnSkipped
) -> Calibration:
    pictures, skipped = images.load_pictures(folder)
    for name, reason in skipped:
        on_skipped(name, reason)
    calibrate, compare = (
        augment.views(pictures, VIEWS, seed, input_px, normalisation) for seed in (0, 2)
    )
    name = "the photographs shipped" if folder is None else folder.name
    noun = "picture" if len(pictures) == 1 else "pictures"
    source = f"{VIEWS} views of {len(pictures)} {noun} ({name})"
    return Calibration(calibrate, compare, source)


def fidelity(
    plain: Path, small: Path, calibration: Calibration, form: TensorForm | None = None
) -> QuantisationFidelity:
    """Compare the logits of both models on the comparison pictures."""
    exact, rounded = (_logits(path, calibration.compare, form) for path in (plain, small))
    agree = float((exact.argmax(axis=1) == rounded.argmax(axis=1)).mean())
    power, error = float((exact**2).mean()), float(((exact - rounded) ** 2).mean())
    snr = 10 * np.log10(max(power, 1e-30) / max(error, 1e-30))
    return QuantisationFidelity(
        len(exact), round(100 * agree, 2), round(float(snr), 2), calibration.source
    )


def _logits(
    path: Path, inputs: NDArray[np.float32], form: TensorForm | None
) -> NDArray[np.float32]:
    session = Session(path, form=form)
    return np.concatenate([session.run(view[np.newaxis]) for view in inputs])
