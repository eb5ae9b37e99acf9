"""Pictures: load a folder of them, and turn the bytes of one into model input.

Input is untrusted: every failure is an `ImageError`.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from tercet.models.errors import ImageError, one_line
from tercet.models.variants import INPUT_PX, Normalisation

PHOTOGRAPHS = Path(__file__).parent / "photographs"
"""Three small photographs; their authors are in `CREDITS.md` beside them."""
SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif"})
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF")
"""Only these decoders are used. Pillow's others are older and less hardened."""
MAX_PIXELS = 50_000_000
"""Larger pictures are refused before they are decoded (150 MB as RGB)."""
MAX_SCANS = 100
"""Scans of a progressive JPEG; some 10 are usual, and each is a pass over all its pixels."""
MAX_ENCODED_AGAIN_BYTES = 64_000_000
"""Size of a picture as decoded, of those that are encoded again and are no JPEG."""
MAX_PICTURES = 500
"""Pictures used of a folder; all are held in memory."""
MAX_BYTES = 512 * 1024
"""Size of one JPEG message: half of a broker's default payload limit."""
MAX_SIDE = 640
"""Longer side of a picture that is sent, pixels."""
CROP = 0.875
"""Share of the shorter side in the central crop, as in MobileNet's published evaluation."""

NORMALISATION_STATISTICS: Mapping[Normalisation, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "symmetric": ((127.5,) * 3, (127.5,) * 3),
    "unit": ((0.0,) * 3, (255.0,) * 3),
    "imagenet": ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375)),
}
"""Mean subtracted from red, green and blue, and the divisor, by normalisation."""

# Pillow warns between one and two times its own limit. `MAX_PIXELS` is lower, and an error.
warnings.simplefilter("ignore", Image.DecompressionBombWarning)


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture, ready to be sent."""

    name: str
    jpeg: bytes


class LoadedPictures(NamedTuple):
    """A folder's usable pictures, and the name of each skipped file with the reason."""

    pictures: list[Picture]
    skipped: list[tuple[str, str]]


@contextmanager
def _only_image_errors() -> Iterator[None]:
    """Convert any exception of a decoder to `ImageError`.

    Broad on purpose: Pillow's decoders raise OSError, SyntaxError, ValueError, struct.error,
    zlib.error, IndexError, MemoryError and more, depending on which byte is wrong.
    """
    try:
        yield
    except ImageError:
        raise
    except Exception as error:
        raise ImageError(f"not a usable picture: {one_line(error)}") from error


def _open(content: bytes) -> Image.Image:
    if not content:
        raise ImageError("not a usable picture: zero bytes")
    try:
        image = Image.open(io.BytesIO(content), formats=FORMATS)
    except UnidentifiedImageError:
        raise ImageError(f"not a usable picture: not {', '.join(FORMATS)}") from None
    if image.width * image.height > MAX_PIXELS:
        raise ImageError(f"picture too large: {image.width}x{image.height} pixels")
    # A scan begins with these two bytes, and a JPEG's coded data never contains them.
    if image.format == "JPEG" and content.count(b"\xff\xda") > MAX_SCANS:
        raise ImageError(f"picture has more than {MAX_SCANS} scans")
    return image


def _as_rgb(image: Image.Image) -> Image.Image:
    """Convert any mode to 8-bit RGB. 16-bit grey is scaled; `convert` would clip it."""
    if image.mode == "I" or image.mode.startswith("I;16"):
        grey = np.clip(np.asarray(image).astype(np.int64) >> 8, 0, 255)
        return Image.fromarray(grey.astype(np.uint8)).convert("RGB")
    if image.mode in ("P", "PA") and "transparency" in image.info:
        image = image.convert("RGBA")
    return image.convert("RGB")


def decode(
    jpeg: bytes, input_px: int = INPUT_PX, normalisation: Normalisation = "symmetric"
) -> NDArray[np.float32]:
    """Decode a picture to model input: float32 [1, 3, input_px, input_px], RGB.

    The centred square of `CROP` of the shorter side, resized and normalised. Any of `FORMATS`; of
    an animation the first frame. Orientation tags are ignored: `picture` has applied them. Raises
    `ImageError`.
    """
    with _only_image_errors():
        return to_input(rgb(jpeg, round(input_px / CROP)), input_px, normalisation)


def rgb(content: bytes, side: int) -> Image.Image:
    """Decode a picture to 8-bit RGB; a larger one keeps at least `side` pixels a side."""
    with _only_image_errors():
        image = _open(content)
        # The JPEG decoder may reduce large pictures, never below the requested resolution.
        image.draft("RGB", (side, side))
        return _as_rgb(image)


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
    mean, scale = (
        np.array(part, dtype=np.float32) for part in NORMALISATION_STATISTICS[normalisation]
    )
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
    with _only_image_errors():
        if not path.is_file():  # A pipe would block, a device file never end.
            raise ImageError("not a usable picture: no file")
        content = path.read_bytes()
        image = _open(content)
        small = max(image.size) <= MAX_SIDE and len(content) <= MAX_BYTES
        # 274 is the orientation tag; absent or 1 means upright.
        upright = image.getexif().get(274, 1) == 1
        image.load()
        if small and upright and image.format == "JPEG" and image.mode == "RGB":
            return Picture(path.name, content)
        return Picture(path.name, encode(_as_rgb(ImageOps.exif_transpose(image))))


def check(content: bytes) -> None:
    """Raise `ImageError` unless the header is that of a usable picture; nothing is decoded."""
    with _only_image_errors():
        _open(content)


def sendable(content: bytes) -> bytes:
    """A large picture encoded again, upright and within `MAX_SIDE` and `MAX_BYTES`.

    Raises `ImageError`. Blocking: a second for a picture of `MAX_PIXELS`.
    """
    with _only_image_errors():
        image = _open(content)
        decoded = image.width * image.height * len(image.getbands())
        if image.format != "JPEG" and decoded > MAX_ENCODED_AGAIN_BYTES:
            raise ImageError(f"picture too large: {decoded} bytes once decoded")
        # The JPEG decoder may reduce it as it decodes: a fraction of the memory and time.
        image.draft("RGB", (MAX_SIDE, MAX_SIDE))
        return encode(_as_rgb(ImageOps.exif_transpose(image)))


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
