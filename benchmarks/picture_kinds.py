"""One photograph as the world sends it: all formats and modes, and forms that harm a decoder."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from PIL import Image

PNG_START = b"\x89PNG\r\n\x1a\n"


def encoded(image: Image.Image, form: str, **options: object) -> bytes:
    """A picture's bytes in one of Pillow's formats."""
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def ordinary(photo: Image.Image) -> dict[str, bytes]:
    """Kinds that show what the photograph shows, by name; the first is the plain one."""
    photo = with_white_part(photo)
    large = photo.resize((3600, 3600 * photo.height // photo.width))
    grey = np.asarray(photo.convert("L")).astype(np.uint16) * 257
    other = Image.new("RGB", photo.size, "black")
    return {
        "PNG": encoded(photo, "PNG"),
        "PNG, transparent part": encoded(on_noise(photo), "PNG"),
        "PNG, 256 colours": encoded(photo.convert("P", palette=Image.Palette.ADAPTIVE), "PNG"),
        "PNG, 8-bit grey": encoded(photo.convert("L"), "PNG"),
        "PNG, grey with alpha": encoded(photo.convert("LA"), "PNG"),
        "PNG, 16-bit grey": encoded(Image.fromarray(grey), "PNG"),
        "PNG, animated": encoded(photo, "PNG", save_all=True, append_images=[other]),
        "PNG, orientation 8": encoded(
            photo.transpose(Image.Transpose.ROTATE_270), "PNG", exif=turned(8)
        ),
        "BMP": encoded(photo, "BMP"),
        "GIF, animated": encoded(photo, "GIF", save_all=True, append_images=[other]),
        "WebP": encoded(photo, "WEBP"),
        "WebP, lossless, transparent part": encoded(on_noise(photo), "WEBP", lossless=True),
        "WebP, animated": encoded(photo, "WEBP", save_all=True, append_images=[other]),
        "JPEG": encoded(photo, "JPEG"),
        "JPEG, progressive": encoded(photo, "JPEG", progressive=True),
        "JPEG, CMYK": encoded(photo.convert("CMYK"), "JPEG"),
        "JPEG, orientation 6": encoded(
            photo.transpose(Image.Transpose.ROTATE_90), "JPEG", exif=turned(6), quality=95
        ),
        "JPEG, two pictures (MPO)": encoded(photo, "MPO", save_all=True, append_images=[other]),
        "JPEG, colour profile": encoded(photo, "JPEG", icc_profile=bytes(100_000)),
        "JPEG, 3600 wide": encoded(large, "JPEG"),
        "JPEG, 3600 wide, progressive": encoded(large, "JPEG", progressive=True),
        "PNG, 3600 wide": encoded(large, "PNG", compress_level=1),
    }


def harmful(photo: Image.Image) -> dict[str, bytes]:
    """Kinds that are to be refused, or decoded without harm."""
    photo = with_white_part(photo)
    jpeg, png = encoded(photo, "JPEG"), encoded(photo, "PNG")
    plain = Image.new("RGB", (4000, 3000), "grey")
    return {
        "PNG, 7000x7000 RGBA": encoded(Image.new("RGBA", (7000, 7000), "red"), "PNG"),
        **_largest(),
        "JPEG, 12 MP, 17,000 scans": many_scans(encoded(plain, "JPEG", progressive=True), 900_000),
        "JPEG, 12 MP, 90 scans": many_scans(encoded(plain, "JPEG", progressive=True), 39_300),
        "WebP, 12 MP": encoded(plain, "WEBP"),
        "WebP, 16383x16383": webp_of(16_383),
        "BMP, runs that skip, 60000x200": skipping_bmp(60_000, 200),
        "BMP, runs that skip, 60000x30": skipping_bmp(60_000, 30),
        "GIF, 300,000 comments": many_comments(encoded(photo, "GIF"), 300_000),
        "JPEG, 100,000 segments": jpeg[:2] + b"\xff\xfe\0\2" * 100_000 + jpeg[2:],
        "JPEG, tags that share data": jpeg[:2] + _greedy_tags() + jpeg[2:],
        "PNG, 40,000 chunks": png[:33] + chunk(b"teSt", b"") * 40_000 + png[33:],
        "PNG, 60 MB of text": png[:33] + _text(1_000_000) * 60 + png[33:],
        "PNG, cut off": png[: len(png) // 2],
    }


def _largest() -> dict[str, bytes]:
    """Pictures close to the bounds of memory."""
    return {
        "PNG, 49 MP, 256 colours": encoded(Image.new("P", (7000, 7000)), "PNG"),
        "GIF, 49 MP": encoded(Image.new("P", (7000, 7000)), "GIF"),
        "PNG, 17 MP, RGBA": encoded(Image.new("RGBA", (4150, 4150), "red"), "PNG"),
        "BMP, 3.7 MP": encoded(Image.new("RGB", (2200, 1700), "red"), "BMP"),
        "WebP, 4.8 MP, lossless": encoded(
            Image.linear_gradient("L").resize((2200, 2200)).convert("RGB"),
            "WEBP",
            lossless=True,
            method=0,
        ),
        "JPEG, 23 MP, progressive": encoded(
            Image.new("RGB", (5600, 4200), "red"), "JPEG", progressive=True
        ),
        "JPEG, 49 MP": encoded(Image.new("RGB", (7000, 7000), "red"), "JPEG"),
    }


def turned(orientation: int) -> Image.Exif:
    """EXIF data with an orientation."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def with_white_part(photo: Image.Image) -> Image.Image:
    """The photograph, its left fifth white."""
    white = photo.convert("RGB")
    white.paste("white", (0, 0, photo.width // 5, photo.height))
    return white


def on_noise(photo: Image.Image) -> Image.Image:
    """The photograph, its left fifth transparent; noise is hidden there."""
    pixels = np.asarray(photo.convert("RGB")).copy()
    alpha = np.full(pixels.shape[:2], 255, np.uint8)
    left = photo.width // 5
    alpha[:, :left] = 0
    pixels[:, :left] = np.random.default_rng(0).integers(0, 255, (photo.height, left, 3))
    return Image.fromarray(np.dstack([pixels, alpha]))


def chunk(name: bytes, data: bytes) -> bytes:
    """One chunk of a PNG, with its checksum."""
    return struct.pack(">L", len(data)) + name + data + zlib.crc32(name + data).to_bytes(4)


def _text(size: int) -> bytes:
    return chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(size)))


def many_scans(jpeg: bytes, size: int) -> bytes:
    """A progressive JPEG whose last scan is repeated up to a size in bytes."""
    last = jpeg.rfind(b"\xff\xda")
    scan = jpeg[jpeg.rfind(b"\xff\xc4", 0, last) : -2]
    return jpeg[:-2] + scan * max(0, (size - len(jpeg)) // len(scan)) + jpeg[-2:]


def many_comments(gif: bytes, count: int) -> bytes:
    """A GIF with many comments of one byte before its picture."""
    at = 13 + (3 << (gif[10] & 7) + 1 if gif[10] & 128 else 0)
    return gif[:at] + b"\x21\xfe\1a\0" * count + gif[at:]


def webp_of(side: int) -> bytes:
    """A WebP whose header states a size that its data do not have."""
    data = encoded(Image.new("RGB", (8, 8)), "WEBP")
    return data[:26] + struct.pack("<HH", side, side) + data[30:]


def skipping_bmp(width: int, height: int) -> bytes:
    """A BMP with runs (RLE8), each of which skips 255 lines."""
    header = struct.pack("<LllHHLLllLL", 40, width, height, 1, 8, 1, 0, 0, 0, 2, 2)
    body = header + bytes(8) + b"\0\2\0\xff" * 1000
    return struct.pack("<2sLLL", b"BM", 14 + len(body), 0, 14 + 48) + body


def _greedy_tags() -> bytes:
    """EXIF data of 65 kB in which each of 2,000 tags refers to 40 kB."""
    tags = b"".join(struct.pack("<HHLL", 1000 + n, 7, 40_000, 24_100) for n in range(2000))
    data = b"II*\0" + struct.pack("<LH", 8, 2000) + tags + bytes(4)
    data = b"Exif\0\0" + data.ljust(64_200, b"\0")
    return b"\xff\xe1" + struct.pack(">H", len(data) + 2) + data
