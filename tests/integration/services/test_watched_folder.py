"""A folder that cameras write into: each picture is classified once, and names its file."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import Any

from PIL import Image

from tercet.messaging.bus import Bus
from tercet.models.images import MAX_BYTES, Picture
from tercet.schemas.result import Result
from tests.integration.services.gateways import decision, serving
from tests.integration.services.test_decision_in_force import running


async def test_new_and_changed_pictures_are_classified_once(
    bus: Bus, models: Path, tmp_path: Path, photographs: list[Picture]
) -> None:
    results: asyncio.Queue[Result] = asyncio.Queue()
    folder = tmp_path / "camera"
    folder.mkdir()
    old = folder / "old.jpg"
    old.write_bytes(photographs[0].jpeg)
    os.utime(old, (time.time() - 60, time.time() - 60))
    await bus.subscribe(Result, results.put)
    await bus.publish(decision("d3@L"))
    watching: dict[str, Any] = {
        "folder": folder,
        "folder_period": 0.05,
        "folder_stale": 30.0,
        "idle": 60,
    }
    async with serving(bus, cam_1="ok"), running(bus, models, tmp_path, **watching):
        for name in ("one.jpg", "two.jpg"):
            (folder / name).write_bytes(photographs[0].jpeg)
        async with asyncio.timeout(20):
            first = [await results.get() for _ in range(2)]
        (folder / "one.jpg").write_bytes(photographs[1].jpeg + b"\0")
        async with asyncio.timeout(20):
            again = await results.get()
        await asyncio.sleep(0.5)
    assert {r.frame for r in first} == {"one.jpg", "two.jpg"}
    assert (again.frame, again.source) == ("one.jpg", "camera")
    assert results.empty()


async def test_large_pictures_are_made_smaller_and_harmful_ones_left(
    bus: Bus, models: Path, tmp_path: Path
) -> None:
    results: asyncio.Queue[Result] = asyncio.Queue()
    folder = tmp_path / "camera"
    folder.mkdir()
    await bus.subscribe(Result, results.put)
    await bus.publish(decision("d3@L"))
    watching: dict[str, Any] = {"folder": folder, "folder_period": 0.05, "idle": 60}
    async with serving(bus, cam_1="ok"), running(bus, models, tmp_path, **watching):
        Image.new("RGBA", (7000, 7000)).save(folder / "bomb.png")
        large = Image.effect_noise((3000, 2000), 90).convert("RGB")
        large.save(folder / "large.jpg")  # More than a broker takes in one message.
        assert (folder / "large.jpg").stat().st_size > 2 * MAX_BYTES
        async with asyncio.timeout(20):
            result = await results.get()
    assert (result.frame, result.option) == ("large.jpg", "d3@L")
    assert results.empty()
