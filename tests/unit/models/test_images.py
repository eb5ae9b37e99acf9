"""Any bytes give model input or an ImageError; a folder's broken pictures are skipped."""

from __future__ import annotations

import contextlib
import io
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tercet.models import images
from tercet.models.errors import ImageError
from tercet.models.images import PHOTOGRAPHS, decode, load_pictures
from tercet.models.picture_decoding import FORMATS

FLOWER = (PHOTOGRAPHS / "flower.jpg").read_bytes()


def _bytes(image: Image.Image, form: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def test_the_photographs_are_credited_and_small() -> None:
    loaded = load_pictures()
    assert len(loaded.pictures) == 3 and not loaded.skipped
    credited = (PHOTOGRAPHS / "CREDITS.md").read_text()
    for picture in loaded.pictures:
        assert picture.name in credited
        assert len(picture.jpeg) < 40_000


def test_decode_gives_a_normalised_batch_of_one() -> None:
    pixels = decode(FLOWER)
    assert pixels.shape == (1, 3, 224, 224) and pixels.dtype == np.float32
    assert pixels.flags.c_contiguous
    assert -1 <= pixels.min() < -0.5 and 0.5 < pixels.max() <= 1


@pytest.mark.parametrize(
    ("colour", "expected"), [((255, 0, 0), (1, -1, -1)), ((0, 0, 255), (-1, -1, 1))]
)
def test_channels_are_red_green_blue(
    colour: tuple[int, int, int], expected: tuple[int, int, int]
) -> None:
    pixels = decode(_bytes(Image.new("RGB", (300, 260), colour)))
    assert pixels[0, :, 100, 100] == pytest.approx(expected)


def test_a_large_jpeg_decodes_as_its_small_form_would() -> None:
    large = Image.open(io.BytesIO(FLOWER)).resize((2560, 1712))
    assert np.abs(decode(_bytes(large, "JPEG", quality=95)) - decode(FLOWER)).mean() < 0.05


@pytest.mark.parametrize("mode", ["L", "P", "1", "RGBA", "LA", "CMYK", "I;16"])
def test_unusual_modes_are_decoded(mode: str) -> None:
    form = "JPEG" if mode == "CMYK" else "PNG"
    if mode == "I;16":
        image = Image.fromarray(np.full((50, 50), 65535, dtype=np.uint16))
    else:
        image = Image.open(io.BytesIO(FLOWER)).convert(mode)
    pixels = decode(_bytes(image, form))
    assert pixels.shape == (1, 3, 224, 224)
    if mode == "I;16":
        assert pixels.min() == 1


def test_palette_with_transparency_and_animation() -> None:
    frames = [Image.new("P", (40, 40), colour) for colour in (1, 2)]
    content = _bytes(frames[0], "GIF", save_all=True, append_images=frames[1:], transparency=1)
    assert decode(content).shape == (1, 3, 224, 224)


def test_one_pixel_and_one_line() -> None:
    assert decode(_bytes(Image.new("RGB", (1, 1)))).shape == (1, 3, 224, 224)
    assert decode(_bytes(Image.new("RGB", (1, 5000)))).shape == (1, 3, 224, 224)


def _huge_png(side: int) -> bytes:
    """A picture of many megapixels in a few bytes."""
    header = b"IHDR" + side.to_bytes(4) + side.to_bytes(4) + bytes([8, 2, 0, 0, 0])
    start = b"\x89PNG\r\n\x1a\n" + (13).to_bytes(4) + header + zlib.crc32(header).to_bytes(4)
    return start + bytes(4) + b"IDAT" + zlib.crc32(b"IDAT").to_bytes(4)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "zero bytes"),
        (b"hello", "not JPEG"),
        (FLOWER[:2000], "truncated"),
        (_huge_png(8_000), "too large: 8000x8000"),
        (_huge_png(10_000), "too large|exceeds limit"),  # Pillow's own limits come first.
        (_huge_png(100_000), "exceeds limit"),
        (_bytes(Image.new("RGB", (8, 8)), "TIFF"), "not JPEG"),
    ],
)
def test_unusable_bytes_are_refused_in_one_line(content: bytes, reason: str) -> None:
    with pytest.raises(ImageError, match=reason) as caught:
        decode(content)
    assert "\n" not in str(caught.value)


SEEDS = st.sampled_from(
    [FLOWER, *(_bytes(Image.new("RGB", (9, 9), (7, 8, 9)), form) for form in FORMATS)]
)


@settings(deadline=None, max_examples=300)
@given(st.one_of(st.binary(max_size=200), SEEDS), st.data())
def test_random_and_damaged_bytes_decode_or_raise_image_error(
    content: bytes, data: st.DataObject
) -> None:
    damaged = bytearray(content)
    for _ in range(data.draw(st.integers(0, 8)) if damaged else 0):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    keep = data.draw(st.integers(len(damaged) // 2, len(damaged)))
    with contextlib.suppress(ImageError):
        assert decode(bytes(damaged[:keep])).shape == (1, 3, 224, 224)


def test_a_folder_is_encoded_and_its_corrupt_picture_named(tmp_path: Path) -> None:
    large = Image.open(io.BytesIO(FLOWER)).resize((1500, 1000))
    exif = Image.Exif()
    exif[274] = 6  # Rotated by 90 degrees.
    large.save(tmp_path / "a.jpg", exif=exif)
    large.save(tmp_path / "b.PNG")
    (tmp_path / "c.jpg").write_bytes(FLOWER)
    (tmp_path / "d.jpeg").write_bytes(FLOWER[:5000])
    (tmp_path / "notes.txt").write_text("no picture, no complaint")
    loaded = load_pictures(tmp_path)
    assert [picture.name for picture in loaded.pictures] == ["a.jpg", "b.PNG", "c.jpg"]
    assert [name for name, _ in loaded.skipped] == ["d.jpeg"]
    turned, wide, same = (Image.open(io.BytesIO(picture.jpeg)) for picture in loaded.pictures)
    assert turned.size == (427, 640) and wide.size == (640, 427)
    assert same.format == "JPEG" and loaded.pictures[2].jpeg == FLOWER
    assert all(len(picture.jpeg) <= images.MAX_BYTES for picture in loaded.pictures)


def test_a_large_folder_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "MAX_PICTURES", 2)
    for name in "abc":
        (tmp_path / f"{name}.jpg").write_bytes(FLOWER)
    loaded = load_pictures(tmp_path)
    assert len(loaded.pictures) == 2 and loaded.skipped == [("c.jpg", "and on: 2 are enough")]


def test_folders_without_usable_pictures(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="does not exist"):
        load_pictures(tmp_path / "nowhere")
    with pytest.raises(ImageError, match=r"no usable picture$"):
        load_pictures(tmp_path)
    (tmp_path / "broken.jpg").write_bytes(b"")
    with pytest.raises(ImageError, match=r"no usable picture \(broken\.jpg: .*zero bytes\)"):
        load_pictures(tmp_path)
