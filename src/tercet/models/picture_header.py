"""What decoding a picture will take, read from its bytes before any decoder sees them.

JPEG and PNG files are cut down to what their pixels need: metadata can be as expensive as pixels.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from tercet.models.errors import ImageError

MAX_SEGMENTS = 1_000
"""Segments of a JPEG before its first scan; some 10 to 50 are usual."""
MAX_GAP = 1_024
"""Bytes between two segments of a JPEG that belong to none; there should be none."""
MAX_CHUNKS = 10_000
"""Chunks of a PNG; one of 16 MiB has two thousand of the usual size."""
ORIENTATION = 0x0112
"""The EXIF tag that says how a camera was held."""
MAX_TAGS = 1_000

_MARKER = re.compile(rb"\xff[^\x00\xff]")
_SCAN, _END, _EXIF, _COMMENT = 0xDA, 0xD9, 0xE1, 0xFE
_WITHOUT_LENGTH = {0x01, *range(0xD0, 0xD9)}
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
"""Start of frame; those between are tables."""
_ONE_PASS, _PROGRESSIVE = {0xC0, 0xC1, 0xC9}, {0xC2, 0xCA}
_METADATA = {*range(0xE1, 0xF0), _COMMENT} - {0xEE}
"""Segments that no pixel depends on. 0xE0 and 0xEE say which colours a JPEG has."""
_PNG_CHUNKS = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"}


@dataclass(frozen=True, slots=True)
class PictureHeader:
    """Of one picture."""

    content: bytes
    """The picture without metadata, where its format is JPEG or PNG."""
    orientation: int = 1
    """1 to 8, as in EXIF; 1: upright."""
    scans: int = 1
    """Passes over the pixels of a JPEG."""
    coefficients: int = 0
    """Those that a JPEG of several scans keeps in memory, two bytes each."""
    canvas: tuple[int, int] | None = None
    """Width and height of a WebP, which its decoder allocates as soon as it is opened."""


def read_header(content: bytes) -> PictureHeader:
    """Read the header of a picture; of an unknown format, nothing. Raises `ImageError`."""
    if content.startswith(b"\xff\xd8"):
        return _jpeg(content)
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return _png(content)
    if content.startswith(b"RIFF") and content[8:12] == b"WEBP":
        return _webp(content)
    return PictureHeader(content)


def _jpeg(content: bytes) -> PictureHeader:
    kept, frame, exif = [content[:2]], b"", b""
    for marker, segment in _segments(content):
        if marker == _SCAN:
            kept.append(segment)
            return _jpeg_header(kept, frame, exif)
        if marker in _FRAMES:
            frame = segment
        if marker == _EXIF and segment[4:10] == b"Exif\0\0":
            exif = exif or segment[10:]
        if marker not in _METADATA:
            kept.append(segment)
    raise ImageError(f"not a usable picture: no scan within {MAX_SEGMENTS} segments")


def _segments(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Marker and bytes of each segment of a JPEG; the last one holds all scans."""
    at = 2
    for _ in range(MAX_SEGMENTS):
        found = _MARKER.search(content, at, at + MAX_GAP)
        if found is None:
            return
        at, marker = found.start(), found[0][1]
        if marker == _SCAN:
            # Coded data contains no marker, so that the first end is that of this picture. A
            # phone may have appended a film or a second picture.
            end = content.find(bytes([0xFF, _END]), at)
            yield marker, content[at : end + 2 if end >= 0 else None]
            return
        length = 0 if marker in _WITHOUT_LENGTH else int.from_bytes(content[at + 2 : at + 4])
        if length:
            yield marker, content[at : at + 2 + length]
        at += 2 + length


def _jpeg_header(kept: list[bytes], frame: bytes, exif: bytes) -> PictureHeader:
    if len(frame) < 10 or frame[1] not in _ONE_PASS | _PROGRESSIVE:
        raise ImageError("not a usable picture: a JPEG that is neither baseline nor progressive")
    scans = kept[-1].count(bytes([0xFF, _SCAN]))
    several = scans > 1 or frame[1] in _PROGRESSIVE
    return PictureHeader(
        content=b"".join(kept),
        orientation=_orientation(exif),
        scans=scans,
        coefficients=_coefficients(frame) if several else 0,
    )


def _coefficients(frame: bytes) -> int:
    """Number of coefficients of a JPEG's frame, all components in their resolutions."""
    height, width = int.from_bytes(frame[5:7]), int.from_bytes(frame[7:9])
    sampling = [(byte >> 4, byte & 15) for byte in frame[11 : 10 + 3 * frame[9] : 3]]
    widest = max((across for across, _ in sampling), default=1) or 1
    tallest = max((down for _, down in sampling), default=1) or 1
    units = -(-width // (8 * widest)) * -(-height // (8 * tallest))
    return 64 * units * sum(across * down for across, down in sampling)


def _png(content: bytes) -> PictureHeader:
    kept, exif, at = [content[:8]], b"", 8
    for _ in range(MAX_CHUNKS):
        end = at + 12 + int.from_bytes(content[at : at + 4])
        name = content[at + 4 : at + 8]
        if name in _PNG_CHUNKS:
            kept.append(content[at:end])
        elif name == b"eXIf":
            exif = content[at + 8 : end - 4]
        at = end
        if name == b"IEND" or at >= len(content):
            return PictureHeader(b"".join(kept), _orientation(exif))
    raise ImageError(f"picture has more than {MAX_CHUNKS} chunks")


def _webp(content: bytes) -> PictureHeader:
    exif, at = b"", 12
    for _ in range(MAX_SEGMENTS):
        name, length = content[at : at + 4], int.from_bytes(content[at + 4 : at + 8], "little")
        if name == b"EXIF":
            exif = content[at + 8 : at + 8 + length].removeprefix(b"Exif\0\0")
            break
        at += 8 + length + length % 2
        if at >= len(content):
            break
    return PictureHeader(content, _orientation(exif), canvas=_webp_canvas(content))


def _webp_canvas(content: bytes) -> tuple[int, int]:
    """Width and height of a WebP, pixels. Raises `ImageError`."""
    kind, data = content[12:16], content[20:30]
    if len(data) == 10 and kind == b"VP8X":
        return int.from_bytes(data[4:7], "little") + 1, int.from_bytes(data[7:10], "little") + 1
    if len(data) == 10 and kind == b"VP8L":
        bits = int.from_bytes(data[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if len(data) == 10 and kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 6)
        return width & 0x3FFF, height & 0x3FFF
    raise ImageError("not a usable picture: WebP without a size")


def _orientation(exif: bytes) -> int:
    """The orientation tag of the first directory of EXIF data; 1 where there is none.

    Pillow would read every tag, each of which may refer to the whole data.
    """
    order = {b"II": "<", b"MM": ">"}.get(exif[:2])
    if order is None:
        return 1
    try:
        start = struct.unpack_from(order + "L", exif, 4)[0]
        count = struct.unpack_from(order + "H", exif, start)[0]
        for number in range(min(count, MAX_TAGS)):
            entry = start + 2 + 12 * number
            tag, kind = struct.unpack_from(order + "HH", exif, entry)
            if tag == ORIENTATION:
                form = order + ("L" if kind == 4 else "H")
                value: int = struct.unpack_from(form, exif, entry + 8)[0]
                return value if 1 <= value <= 8 else 1
    except struct.error:  # It ends before it should: pictures with broken metadata are common.
        pass
    return 1
