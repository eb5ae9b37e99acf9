"""Pictures as the world sends them show the same; those that harm a decoder are refused in time."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks import picture_kinds
from benchmarks.picture_kinds import encoded, many_scans, on_noise, turned, with_white_part
from benchmarks.picture_process import PictureProcess
from tercet.models import images, picture_decoding
from tercet.models.errors import ImageError
from tercet.models.images import PHOTOGRAPHS, decode
from tercet.models.picture_decoding import MAX_DECODE_S

PHOTO = Image.open(PHOTOGRAPHS / "flower.jpg").convert("RGB")
ORDINARY = picture_kinds.ordinary(PHOTO)
HARMFUL = picture_kinds.harmful(PHOTO)
REFUSED = {
    "PNG, 7000x7000 RGBA": "7000x7000, 197 MB decoded",
    "JPEG, 12 MP, 17,000 scans": "more than 100 scans",
    "WebP, 12 MP": "192 MB decoded",
    "WebP, 16383x16383": "16383x16383 pixels",
    "BMP, runs that skip, 60000x200": "60000x200",
    "GIF, 300,000 comments": "more than 20000 parts",
    "JPEG, 100,000 segments": "within 1000 segments",
    "PNG, 40,000 chunks": "more than 10000 chunks",
    "PNG, cut off": "truncated",
}
"""The others of `HARMFUL` are decoded."""


@pytest.fixture(scope="module")
def process() -> Iterator[PictureProcess]:
    decoding = PictureProcess()
    yield decoding
    assert decoding.close() == 0


@pytest.mark.parametrize("kind", ORDINARY)
def test_all_kinds_show_the_same(kind: str) -> None:
    plain = encoded(with_white_part(PHOTO).convert("L" if "grey" in kind else "RGB"), "PNG")
    exact = any(part in kind for part in ("transparent", "animated", "grey", "orientation 8"))
    lossy = not exact or "GIF" in kind or "WebP, animated" in kind
    assert np.abs(decode(ORDINARY[kind]) - decode(plain)).mean() < (0.03 if lossy else 0.002)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["PNG", "WEBP"])
def test_every_orientation_is_undone(orientation: int, form: str) -> None:
    options = {"lossless": True} if form == "WEBP" else {}
    undo = {6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}
    method = undo.get(orientation, picture_decoding.UPRIGHT.get(orientation))
    sent = PHOTO if method is None else PHOTO.transpose(method)
    content = encoded(sent, form, exif=turned(orientation), **options)
    assert np.array_equal(decode(content), decode(encoded(PHOTO, "PNG")))


def test_what_transparency_hides_is_not_seen() -> None:
    hidden, seen = on_noise(PHOTO), with_white_part(PHOTO)
    assert np.array_equal(decode(encoded(hidden, "PNG")), decode(encoded(seen, "PNG")))
    large = (PHOTO.width * 8, PHOTO.height * 8)  # Large enough to be reduced in strips.
    hidden, seen = on_noise(PHOTO.resize(large)), with_white_part(PHOTO.resize(large))
    assert np.array_equal(decode(encoded(hidden, "PNG")), decode(encoded(seen, "PNG")))


@pytest.mark.parametrize("kind", HARMFUL)
def test_harmful_pictures_are_refused_or_decoded_within_the_bounds(
    kind: str, process: PictureProcess
) -> None:
    found = process.decode(HARMFUL[kind])
    if kind in REFUSED:
        assert REFUSED[kind] in found["refused"]
    else:
        assert found["refused"] is None
    assert not found["out_of_memory"]
    assert found["seconds"] < 2 * MAX_DECODE_S  # The decoder ends itself; a host may be busy.


def test_a_second_picture_hides_no_scans() -> None:
    first = many_scans(encoded(Image.new("RGB", (64, 64)), "JPEG", progressive=True), 20_000)
    two = encoded(PHOTO, "MPO", save_all=True, append_images=[PHOTO])
    start = two.index(b"\xff\xe2")
    index = two[start : start + 2 + int.from_bytes(two[start + 2 : start + 4])]
    extended = first[:2] + index + first[2:]
    assert Image.open(io.BytesIO(extended)).format == "MPO"
    for content in (first, extended):
        with pytest.raises(ImageError, match="scans"):
            images.check(content)


def test_a_decode_is_ended_when_its_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picture_decoding, "MAX_DECODE_S", 0.0)
    for kind in ("PNG", "JPEG", "BMP", "GIF, animated"):
        with pytest.raises(ImageError, match="more than 0 s"):
            decode(ORDINARY[kind])


def test_an_error_does_not_keep_the_picture(process: PictureProcess) -> None:
    tall = bytearray(ORDINARY["JPEG"][:3000])  # 67 MB, of which the process can have one.
    frame = tall.index(b"\xff\xc0")
    tall[frame + 5 : frame + 9] = struct.pack(">HH", 65_535, 255)
    for _ in range(5):
        found = process.decode(bytes(tall))
        assert found["refused"] and not found["out_of_memory"]


def test_a_large_picture_does_not_wait_for_another_without_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(picture_decoding, "MAX_DECODE_S", 0.01)
    monkeypatch.setattr(picture_decoding, "LARGE_BYTES", 0)
    with picture_decoding.decoding_turn(1), pytest.raises(ImageError, match="other large pictures"):
        decode(ORDINARY["PNG"])


def test_a_folder_with_harmful_pictures_is_read(tmp_path: Path) -> None:
    suffixes = {"JPEG": ".jpg", "GIF,": ".gif", "WebP": ".webp", "PNG,": ".png", "BMP,": ".bmp"}
    for number, (kind, content) in enumerate(HARMFUL.items()):
        (tmp_path / f"{number:02}{suffixes[kind[:4]]}").write_bytes(content)
    loaded = images.load_pictures(tmp_path)
    assert len(loaded.skipped) == len(REFUSED)
    assert len(loaded.pictures) == len(HARMFUL) - len(REFUSED)
