"""The inference service answers any bytes with one line at most, and keeps working."""

from __future__ import annotations

import asyncio
import io
import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from benchmarks.picture_kinds import many_scans
from tercet.messaging.bus import Bus
from tercet.messaging.responder import RawRequest, responding
from tercet.models.classifier import Classifier, photograph
from tercet.process.errors import Unprocessable
from tercet.schemas.classification import Classification
from tercet.services.inference.inference_queue import InferenceQueue
from tercet.services.inference.service import PictureQueue, answer, run, useful_batch
from tercet.services.inference.settings import InferenceSettings

GOOD = photograph()


def _bytes(image: Image.Image, form: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def _animated() -> bytes:
    frames = [Image.new("P", (30, 30), colour) for colour in (1, 2, 3)]
    return _bytes(frames[0], "GIF", save_all=True, append_images=frames[1:])


def _megapixels(side: int) -> bytes:
    """A picture of many megapixels in a few bytes."""
    header = b"IHDR" + side.to_bytes(4) + side.to_bytes(4) + bytes([8, 2, 0, 0, 0])
    start = b"\x89PNG\r\n\x1a\n" + (13).to_bytes(4) + header + zlib.crc32(header).to_bytes(4)
    return start + bytes(4) + b"IDAT" + zlib.crc32(b"IDAT").to_bytes(4)


CORPUS = {
    "one pixel": (_bytes(Image.new("RGB", (1, 1)), "PNG"), "ok"),
    "CMYK": (_bytes(Image.new("CMYK", (40, 30)), "JPEG"), "ok"),
    "16 bit": (_bytes(Image.new("I;16", (40, 30)), "PNG"), "ok"),
    "animated": (_animated(), "ok"),
    "100 megapixels": (_megapixels(10_000), "refused"),
    "7000x7000 RGBA": (_bytes(Image.new("RGBA", (7000, 7000)), "PNG"), "refused"),
    "many scans": (
        many_scans(_bytes(Image.new("RGB", (4000, 3000)), "JPEG", progressive=True), 900_000),
        "refused",
    ),
    "zero bytes": (b"", "refused"),
    "no picture": (b"GET / HTTP/1.1\r\n\r\n", "refused"),
    "truncated": (GOOD[: len(GOOD) // 3], "refused"),
    "only a header": (GOOD[:20], "refused"),
    "TIFF": (_bytes(Image.new("RGB", (8, 8)), "TIFF"), "refused"),
}


@pytest.fixture(scope="module")
def classifier(models: Path) -> Classifier:
    return Classifier(models)


@pytest.fixture
def queue(classifier: Classifier) -> Iterator[PictureQueue]:
    queue: PictureQueue = InferenceQueue(partial(run, classifier), workers=1, limit=4, batch=3)
    yield queue
    queue.close()


@pytest.mark.parametrize("name", CORPUS)
async def test_a_corpus_of_unusual_and_broken_pictures(queue: PictureQueue, name: str) -> None:
    content, status = CORPUS[name]
    reply = await answer("pi", queue, RawRequest("inference.v1.pi", content, {"Variant": "d7"}))
    assert reply.status == status
    assert "\n" not in reply.reason and bool(reply.reason) == (status == "refused")
    after = await answer("pi", queue, RawRequest("inference.v1.pi", GOOD, {"Variant": "d7"}))
    assert after.status == "ok"


async def test_a_broken_picture_does_not_affect_its_batch(queue: PictureQueue) -> None:
    bodies = [GOOD, GOOD, b"broken", GOOD]
    reply = await asyncio.gather(
        *(
            answer("pi", queue, RawRequest("inference.v1.pi", body, {"Variant": "d7"}))
            for body in bodies
        )
    )
    assert [one.status for one in reply] == ["ok", "ok", "refused", "ok"]


def _damaged(content: bytes, where: list[int], keep: int) -> bytes:
    damaged = bytearray(content)
    for position in where:
        damaged[position % len(damaged)] ^= 0x55
    return bytes(damaged[: max(1, len(damaged) * keep // 100)])


SEEDS = st.sampled_from([content for content, _ in CORPUS.values() if content] + [GOOD])
HOSTILE = st.binary(max_size=300) | st.builds(
    _damaged, SEEDS, st.lists(st.integers(0, 20_000), max_size=8), st.integers(1, 100)
)


@settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(content=HOSTILE, variant=st.sampled_from(["d7", "d3", "d9", "", "\x00", "d7\nd8"]))
def test_any_bytes_are_answered(classifier: Classifier, content: bytes, variant: str) -> None:
    async def ask() -> Classification:
        queue: PictureQueue = InferenceQueue(partial(run, classifier), workers=1, limit=4)
        try:
            return await answer(
                "pi", queue, RawRequest("inference.v1.pi", content, {"Variant": variant})
            )
        finally:
            queue.close()

    reply = asyncio.run(ask())
    assert reply.status in ("ok", "refused") and "\n" not in reply.reason
    assert reply.status == "refused" or variant in ("d7", "d3")


async def test_a_message_above_the_brokers_limit_is_an_error_at_its_sender(bus: Bus) -> None:
    async with responding(bus, "inference", node="pi") as responder:

        async def any_answer(raw: RawRequest) -> Classification:
            return Classification(node="pi", status="ok")

        await responder.serve_raw("inference.v1.pi", any_answer, name="inference")
        limit = bus.client.max_payload
        with pytest.raises(Unprocessable, match=rf"{limit + 1} bytes, the broker takes {limit}"):
            await bus.request_raw("inference.v1.pi", bytes(limit + 1), None, Classification, 2.0)
        reply = await bus.request_raw("inference.v1.pi", bytes(10), None, Classification, 2.0)
        assert reply.status == "ok"


def test_devices_never_batch_and_others_only_with_a_speedup(classifier: Classifier) -> None:
    device = InferenceSettings(node="pi", tier="device", home="edge-1", batch=8)
    assert useful_batch(device, classifier) == 1
    assert useful_batch(InferenceSettings(node="edge-1", tier="edge", batch=1), classifier) == 1
    measured = useful_batch(InferenceSettings(node="edge-1", tier="edge", batch=2), classifier)
    assert measured in (1, 2)
