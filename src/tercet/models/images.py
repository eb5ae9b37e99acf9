"""Pictures: load a folder of them, and turn the bytes of one into model input.

Input is untrusted: every failure is an `ImageError`.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tercet.models.errors import ImageError
from tercet.models.normalisation import Normalisation, scaling
from tercet.models.picture_decoding import only_image_errors, open_picture
from tercet.models.variants import INPUT_PX

PHOTOGRAPHS = Path(__file__).parent / "photographs"
"""Three small photographs; their authors are in `CREDITS.md` beside them."""
SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif"})
MAX_FILE_BYTES = 16 * 1024 * 1024
"""A larger file is not read."""
MAX_PICTURES = 500
"""Pictures used of a folder; all are held in memory."""
MAX_BYTES = 512 * 1024
"""Size of one JPEG message: half of a broker's default payload limit."""
MAX_SIDE = 640
"""Longer side of a picture that is sent, pixels."""
CROP = 0.875
"""Share of the shorter side in the central crop, as in MobileNet's published evaluation."""


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture, ready to be sent."""

    name: str
    jpeg: bytes
    original: tuple[int, int] | None = None
    """Width and height before it was encoded again, upright; None: it was not."""


class LoadedPictures(NamedTuple):
    """A folder's usable pictures, and the name of each skipped file with the reason."""

    pictures: list[Picture]
    skipped: list[tuple[str, str]]


def decode(
    jpeg: bytes, input_px: int = INPUT_PX, normalisation: Normalisation = "symmetric"
) -> NDArray[np.float32]:
    """Decode a picture to model input: float32 [1, 3, input_px, input_px], RGB.

    The centred square of `CROP` of the shorter side, resized and normalised. Any of `FORMATS`; of
    an animation the first frame. Raises `ImageError`.
    """
    with only_image_errors():
        return to_input(rgb(jpeg, round(input_px / CROP)), input_px, normalisation)


def rgb(content: bytes, side: int) -> Image.Image:
    """Decode a picture to upright 8-bit RGB; a larger one keeps at least `side` pixels a side."""
    return open_picture(content, side).rgb()


def upright(content: bytes, side: int) -> tuple[Image.Image, tuple[int, int]]:
    """Decode as `rgb`; and the width and height of the whole picture, upright, pixels."""
    opened = open_picture(content, side)
    return opened.rgb(), opened.upright_size


def upright_size(content: bytes) -> tuple[int, int]:
    """Width and height of a picture, upright, from its header. Raises `ImageError`."""
    return open_picture(content, MAX_SIDE).upright_size


def to_input(
    image: Image.Image, input_px: int = INPUT_PX, normalisation: Normalisation = "symmetric"
) -> NDArray[np.float32]:
    """Crop, resize and normalise an RGB picture: float32 [1, 3, input_px, input_px]."""
    half = CROP * min(image.size) / 2
    middle_x, middle_y = image.width / 2, image.height / 2
    box = (middle_x - half, middle_y - half, middle_x + half, middle_y + half)
    square = image.resize(
        (input_px, input_px), Image.Resampling.BILINEAR, box=box, reducing_gap=2.0
    )
    return normalised(np.asarray(square)[np.newaxis], normalisation)


def normalised(
    rgb: NDArray[np.uint8], normalisation: Normalisation = "symmetric"
) -> NDArray[np.float32]:
    """Normalise pictures [N, S, S, 3] to network input: float32 [N, 3, S, S]."""
    by = scaling(normalisation)
    mean, scale = (np.array(part, dtype=np.float32) for part in (by.mean, by.scale))
    pixels = (rgb.astype(np.float32) - mean) / scale
    return np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))


def encode(image: Image.Image) -> bytes:
    """Encode an RGB picture as JPEG of at most `MAX_SIDE` pixels a side and `MAX_BYTES`."""
    image.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.LANCZOS)
    for quality in (90, 75, 50, 25):
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=quality)
        if buffer.tell() <= MAX_BYTES:
            return buffer.getvalue()
    raise ImageError(f"picture too large: more than {MAX_BYTES} bytes as JPEG")


def picture(path: Path) -> Picture:
    """Read one file as a device sends it: unchanged if small and upright, else encoded again.

    Evaluation and training read pictures in the same way. Raises `ImageError`.
    """
    with only_image_errors():
        if not path.is_file():  # A pipe would block, a device file never end.
            raise ImageError("not a usable picture: no file")
        if path.stat().st_size > MAX_FILE_BYTES:
            raise ImageError(f"picture too large: a file of more than {MAX_FILE_BYTES} bytes")
        content = path.read_bytes()
        opened = open_picture(content, MAX_SIDE)
        small = max(opened.size) <= MAX_SIDE and len(content) <= MAX_BYTES
        plain = opened.image.format == "JPEG" and opened.image.mode == "RGB"
        decoded = opened.rgb()
        if small and plain and opened.header.orientation == 1:
            return Picture(path.name, content)
        return Picture(path.name, encode(decoded), opened.upright_size)


def check(content: bytes) -> None:
    """Raise `ImageError` unless the header is that of a usable picture; nothing is decoded."""
    open_picture(content, MAX_SIDE)


def sendable(content: bytes) -> bytes:
    """The same picture where it is small, else encoded again, upright and within `MAX_SIDE`.

    Raises `ImageError`. Blocking: a second for the largest picture.
    """
    opened = open_picture(content, MAX_SIDE)
    if len(content) <= MAX_BYTES:
        return content
    with only_image_errors():
        return encode(opened.rgb())


def reference_photograph() -> bytes:
    """The shipped photograph that timing and trial runs use."""
    return min(PHOTOGRAPHS.glob("*.jpg")).read_bytes()


def load_pictures(directory: Path | None = None) -> LoadedPictures:
    """Load all usable pictures of a folder (default: the photographs shipped), ordered by name.

    Corrupt files are skipped and listed. `ImageError` if the folder is missing or none is usable.
    """
    folder = PHOTOGRAPHS if directory is None else directory
    if not folder.is_dir():
        what = "is not a folder" if folder.exists() else "does not exist"
        raise ImageError(f"image folder {folder} {what}")
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    loaded = LoadedPictures([], [])
    for path in paths[:MAX_PICTURES]:
        try:
            loaded.pictures.append(picture(path))
        except ImageError as error:
            loaded.skipped.append((path.name, str(error)))
    if len(paths) > MAX_PICTURES:
        loaded.skipped.append((paths[MAX_PICTURES].name, f"and on: {MAX_PICTURES} are enough"))
    if not loaded.pictures:
        names = "; ".join(f"{name}: {reason}" for name, reason in loaded.skipped)
        raise ImageError(
            f"image folder {folder} holds no usable picture" + f" ({names})" * bool(names)
        )
    return loaded
