"""No damaged picture ends a process that has as much memory as its container leaves it.

`TERCET_FUZZ_PICTURES` is the number of pictures; `make fuzz` takes 2,000.
"""

from __future__ import annotations

import os
import random
import struct
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from benchmarks import picture_kinds
from benchmarks.picture_kinds import PNG_START, chunk
from benchmarks.picture_process import PictureProcess
from tercet.models.images import PHOTOGRAPHS
from tercet.models.picture_decoding import MAX_DECODE_S

COUNT = int(os.environ.get("TERCET_FUZZ_PICTURES", "100"))
SMALL = Image.open(PHOTOGRAPHS / "flower.jpg").convert("RGB").resize((96, 64))
SEEDS = [
    content
    for kind, content in picture_kinds.ordinary(SMALL).items()
    if "wide" not in kind  # Of the others, hundreds can be decoded in a second.
] + [picture_kinds.skipping_bmp(2_000, 100)]
SIDES = (0, 1, 255, 4_000, 7_000, 16_383, 30_000, 65_535)


@pytest.fixture(scope="module")
def process() -> Iterator[PictureProcess]:
    decoding = PictureProcess()
    yield decoding
    assert decoding.close() == 0


@settings(
    deadline=None,
    max_examples=COUNT,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.sampled_from(SEEDS), st.integers(0, 2**32))
def test_damaged_pictures_are_decoded_or_refused(
    process: PictureProcess, content: bytes, seed: int
) -> None:
    found = process.decode(mutated(content, random.Random(seed)))
    assert not found["out_of_memory"]
    assert found["seconds"] < 2 * MAX_DECODE_S


def mutated(content: bytes, rng: random.Random) -> bytes:
    """Some of: another size, changed bytes, a part left out, repeated or of another picture."""
    damaged = bytearray(_resized(content, rng) if rng.random() < 0.5 else content)
    for _ in range(rng.randrange(4)):
        start = rng.randrange(len(damaged) + 1)
        part = damaged[start : start + rng.choice((1, 4, 60, 1000))]
        change = rng.randrange(4)
        if change == 0:
            damaged[start : start + len(part)] = rng.randbytes(len(part))
        elif change == 1:
            del damaged[start : start + len(part)]
        elif change == 2:
            damaged[start:start] = part * rng.choice((1, 30, 300))
        else:
            damaged[start:] = rng.choice(SEEDS)[start:]
    return _with_checksums(bytes(damaged)) if rng.random() < 0.7 else bytes(damaged)


def _resized(content: bytes, rng: random.Random) -> bytes:
    """The same picture with another size in its header."""
    width, height = rng.choice(SIDES), rng.choice(SIDES)
    frame = max(content.find(b"\xff\xc0"), content.find(b"\xff\xc2"))
    at, form = {
        b"\x89P": (16, ">LL"),
        b"\xff\xd8": (frame + 5, ">HH"),
        b"GI": (6, "<HH"),
        b"BM": (18, "<LL"),
        b"RI": (26, "<HH"),
    }[content[:2]]
    size = struct.pack(form, width, height)
    return content[:at] + size + content[at + len(size) :]


def _with_checksums(content: bytes) -> bytes:
    """A PNG whose checksums are right again: those that are not are refused before all else."""
    if not content.startswith(PNG_START):
        return content
    parts, at = [PNG_START], 8
    while at + 12 <= len(content):
        length = int.from_bytes(content[at : at + 4])
        parts.append(chunk(content[at + 4 : at + 8], content[at + 8 : at + 8 + length]))
        at += 12 + length
    return b"".join(parts)
