"""Open pages: a slow one is sent the full state again and does not delay the others."""

from __future__ import annotations

import json

import pytest

from tercet.services.dashboard.event_stream import encode_event
from tercet.services.dashboard.page_state import PageState
from tercet.services.dashboard.page_updates import PageUpdates
from tercet.services.dashboard.viewers import MAX_QUEUED, TooManyViewers, Viewers


def whole() -> bytes:
    return b"whole"


async def test_viewer_receives_the_full_state_then_deltas() -> None:
    viewers = Viewers(2)
    with viewers.joined() as viewer:
        chunks = viewer.chunks(whole)
        assert await anext(chunks) == b"whole"
        viewers.send(b"1")
        viewers.send(b"2")
        assert [await anext(chunks), await anext(chunks)] == [b"1", b"2"]


async def test_slow_viewer_receives_the_full_state_again_and_has_a_short_queue() -> None:
    viewers = Viewers(2)
    with viewers.joined() as slow, viewers.joined() as quick:
        slowly, quickly = slow.chunks(whole), quick.chunks(whole)
        assert [await anext(slowly), await anext(quickly)] == [b"whole", b"whole"]
        for k in range(10 * MAX_QUEUED):
            viewers.send(str(k).encode())
            assert await anext(quickly) == str(k).encode()
        assert await anext(slowly) == b"whole"
        viewers.send(b"next")
        assert await anext(slowly) == b"next"


async def test_number_of_viewers_is_limited() -> None:
    viewers = Viewers(1)
    updates = PageUpdates(PageState(), viewers)
    with viewers.joined():
        with pytest.raises(TooManyViewers), viewers.joined():
            pass
        with pytest.raises(TooManyViewers):
            updates.open_stream()
    chunks = updates.open_stream()
    assert b"event: whole" in await anext(chunks)
    assert len(viewers) == 1
    await chunks.aclose()
    assert len(viewers) == 0


async def test_closed_viewers_end() -> None:
    viewers = Viewers(1)
    with viewers.joined() as viewer:
        viewers.close()
        assert [chunk async for chunk in viewer.chunks(whole)] == []


async def test_event_numbers_are_consecutive_and_the_full_state_has_the_last_one() -> None:
    page = PageState()
    updates = PageUpdates(page, Viewers(1))
    updates.tick(1.0, 1.0)
    chunks = updates.open_stream()
    first = await anext(chunks)
    updates.tick(2.1, 2.1)
    second = await anext(chunks)
    assert b"\nid: 1\n" in first
    assert b"\nid: 2\n" in second


def test_event_is_one_line_of_data_for_any_content() -> None:
    chunk = encode_event("delta", 3, {"words": "a\n\ndata: b\r\n"}).decode()
    assert chunk.count("\n") == 4
    data = chunk.split("\n")[2].removeprefix("data: ")
    assert json.loads(data) == {"words": "a\n\ndata: b\r\n"}
    with pytest.raises(ValueError, match="JSON"):
        encode_event("delta", 3, float("nan"))
