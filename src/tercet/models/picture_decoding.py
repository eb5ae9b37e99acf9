"""Decode one picture of any kind to upright 8-bit RGB, within bounds of memory and time.

Input is untrusted: every failure is an `ImageError`. Colour profiles (ICC) are not applied.
"""

from __future__ import annotations

import io
import threading
import time
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from PIL import Image, UnidentifiedImageError

from tercet.models.errors import ImageError, one_line
from tercet.models.picture_header import PictureHeader, read_header

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF")
"""Only these decoders are used. Pillow's others are older and less hardened."""
MAX_PIXELS = 50_000_000
"""Larger pictures are refused whatever they are; only a JPEG of this size fits the memory."""
MAX_LENGTH = 65_535
"""Longer side of a picture, pixels. A run of a BMP may skip 255 lines of it at once."""
MAX_DECODED_BYTES = 80_000_000
"""Memory that decoding one picture may take."""
LARGE_BYTES = 8_000_000
"""Of pictures that take more, a process decodes one at a time."""
MAX_SCANS = 100
"""Scans of a progressive JPEG; some 10 are usual, and each is a pass over all its pixels."""
MAX_COEFFICIENT_VISITS = 400_000_000
"""Coefficients of a JPEG times its scans: ten scans of the largest that fits the memory."""
MAX_HEADER_READS = 20_000
"""Pieces that a decoder reads before the pixels, such as comments of a GIF."""
MAX_DECODE_S = 2.0
"""Seconds; a gateway does not wait longer for a node (`TERCET_INFERENCE_TIMEOUT`)."""
BLOCK_BYTES = 16_384
"""A decoder is given so much at once, and can be ended between two blocks."""
STRIP_PIXELS = 250_000
"""A large picture is converted to RGB and reduced in strips of this size."""

UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What turns a picture upright, by its orientation."""
TURNED = (5, 6, 7, 8)
"""Orientations whose upright picture has width and height exchanged."""
_ONE_BYTE_MODES = ("1", "L", "P")
"""Pillow keeps these in one byte a pixel, and all others that occur here in two or four."""
_WEBP_PIXEL_BYTES = 16
"""Two canvases of libwebp, its frame handed over, and Pillow's picture, four bytes each."""
_large = threading.Lock()

# Pillow warns between one and two times its own limit. `MAX_PIXELS` is lower, and an error.
warnings.simplefilter("ignore", Image.DecompressionBombWarning)


@contextmanager
def only_image_errors() -> Iterator[None]:
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


class _Reader(io.BytesIO):
    """Bytes for a decoder; reading them fails when the decoder has had its share."""

    reads = 0
    ends_at: float | None = None
    """On the monotonic clock, once pixels are decoded."""

    def read(self, size: int | None = -1, /) -> bytes:
        self.reads += 1
        if self.ends_at is None and self.reads > MAX_HEADER_READS:
            raise ImageError(f"picture has more than {MAX_HEADER_READS} parts before its pixels")
        self.check_time()
        return super().read(size)

    def check_time(self) -> None:
        """Raise `ImageError` when decoding has taken too long."""
        if self.ends_at is not None and time.monotonic() > self.ends_at:
            raise ImageError(f"picture takes more than {MAX_DECODE_S:g} s to decode")


@dataclass(frozen=True, slots=True)
class OpenedPicture:
    """A picture whose header is within the bounds, before its pixels are decoded."""

    header: PictureHeader
    image: Image.Image
    size: tuple[int, int]
    """Width and height as sent; `image` may be reduced as it is decoded."""
    side: int
    """At least so many pixels a side are kept of a larger picture."""
    reader: _Reader

    @property
    def upright_size(self) -> tuple[int, int]:
        """Width and height as sent, once it is turned upright."""
        width, height = self.size
        return (height, width) if self.header.orientation in TURNED else (width, height)

    @property
    def factor(self) -> int:
        """By how much it is reduced once decoded; twice `side` remains, for a good resize."""
        return max(1, min(self.image.size) // (2 * self.side))

    @property
    def bytes_needed(self) -> int:
        """Memory that `rgb` takes, without the encoded picture."""
        width, height = self.image.size
        pixels = width * height
        each = 1 if self.image.mode in _ONE_BYTE_MODES else 4
        if self.image.format == "WEBP":
            each = _WEBP_PIXEL_BYTES
        elif self.image.format == "BMP":  # Its runs are expanded in Python.
            each, pixels = 4, pixels + 64 * width
        same = self.image.mode == "RGB" and self.factor == 1
        converted = 0 if same else 4 * pixels // self.factor**2
        return each * pixels + converted + 2 * self.header.coefficients

    def rgb(self) -> Image.Image:
        """Decode to 8-bit RGB, upright, transparency on white. Raises `ImageError`. Blocking."""
        with only_image_errors(), decoding_turn(self.bytes_needed):
            self.reader.ends_at = time.monotonic() + MAX_DECODE_S
            try:
                self.image.load()
                image = _in_strips(self.image, self.factor, self.reader)
            except Exception as error:
                # The traceback refers to the picture and its decoder, and may outlive the request.
                traceback.clear_frames(error.__traceback__)
                vars(self.image).clear()
                raise
            method = UPRIGHT.get(self.header.orientation)
            return image if method is None else image.transpose(method)


def open_picture(content: bytes, side: int) -> OpenedPicture:
    """Check a picture by its header; nothing is decoded. Raises `ImageError`."""
    with only_image_errors():
        if not content:
            raise ImageError("not a usable picture: zero bytes")
        header = read_header(content)
        if header.canvas is not None:
            _check_size(*header.canvas, _WEBP_PIXEL_BYTES * header.canvas[0] * header.canvas[1])
        reader = _Reader(header.content)
        try:
            image = Image.open(reader, formats=FORMATS)
        except UnidentifiedImageError:
            raise ImageError(f"not a usable picture: not {', '.join(FORMATS)}") from None
        image.decodermaxblock = BLOCK_BYTES
        size = image.size
        # The JPEG decoder may reduce large pictures, never below the requested resolution.
        image.draft("RGB", (side, side))
        opened = OpenedPicture(header, image, size, side, reader)
        _check_size(*size, opened.bytes_needed)
        _check_scans(header)
        return opened


def _check_size(width: int, height: int, needed: int) -> None:
    if width * height > MAX_PIXELS or max(width, height) > MAX_LENGTH:
        raise ImageError(f"picture too large: {width}x{height} pixels")
    if needed > MAX_DECODED_BYTES:
        raise ImageError(f"picture too large: {width}x{height}, {needed // 1_000_000} MB decoded")


def _check_scans(header: PictureHeader) -> None:
    if header.scans > MAX_SCANS:
        raise ImageError(f"picture has more than {MAX_SCANS} scans")
    if header.scans * header.coefficients > MAX_COEFFICIENT_VISITS:
        raise ImageError(f"picture has too many scans for its size: {header.scans}")


@contextmanager
def decoding_turn(needed: int) -> Iterator[None]:
    """Wait until no other large picture is decoded; small ones need not."""
    if needed <= LARGE_BYTES:
        yield
        return
    if not _large.acquire(timeout=MAX_DECODE_S):
        raise ImageError("other large pictures are being decoded")
    try:
        yield
    finally:
        _large.release()


def _in_strips(image: Image.Image, factor: int, reader: _Reader) -> Image.Image:
    """Convert to RGB and reduce by `factor`; beside the picture, memory for a strip is needed."""
    width, height = image.size
    rows = max(1, STRIP_PIXELS // width // factor) * factor
    if factor == 1 and (image.mode == "RGB" or rows >= height):
        return _as_rgb(image)
    reduced = Image.new("RGB", (-(-width // factor), -(-height // factor)))
    for top in range(0, height, rows):
        reader.check_time()
        strip = _as_rgb(image.crop((0, top, width, min(top + rows, height))))
        reduced.paste(strip.reduce(factor), (0, top // factor))
    return reduced


def _as_rgb(image: Image.Image) -> Image.Image:
    """Convert any mode to 8-bit RGB; what is transparent becomes white."""
    if image.mode == "I" or image.mode.startswith("I;16"):
        return _from_16_bit(image)
    if image.mode in ("LA", "PA", "RGBA") or "transparency" in image.info:
        colours = image.convert("RGBA")
        white = Image.new("RGB", image.size, "white")
        white.paste(colours, mask=colours.getchannel("A"))
        return white
    return image if image.mode == "RGB" else image.convert("RGB")


def _from_16_bit(image: Image.Image) -> Image.Image:
    """Scale 16-bit grey to 8 bits; `convert` would clip it."""
    values = np.asarray(image)
    grey = np.clip(values >> 8, 0, 255).astype(np.uint8)
    grey[values == image.info.get("transparency", -1)] = 255
    return Image.fromarray(grey).convert("RGB")
