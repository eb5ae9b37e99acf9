"""A family of detectors end to end, over every route: boxes are where the shapes are."""

from __future__ import annotations

import asyncio
import io
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tritonclient.http as triton
from PIL import Image

from tercet.messaging import broker
from tercet.messaging.bus import Bus
from tercet.models.detector_import import DetectorDescription, import_detector
from tercet.models.tensor_form import TensorForm
from tercet.schemas.result import Result
from tercet.services.gateway.settings import GatewaySettings
from tercet.services.inference.settings import InferenceSettings
from tests import shapes_detector
from tests.gateway_clients import FORM, form
from tests.integration.gateway_http.conftest import Gateway
from tests.integration.gateway_http.running_nodes import serving
from tests.shapes_detector import LABELS, Truth, drawn

DECIDED, SIZE = "yolo-128@E", (320, 240)
SURE = 727
"""Seed of a picture whose shapes every variant finds: on a busy host another one may answer."""
Found = list[tuple[str, list[float]]]


@pytest.fixture(scope="module")
def family(shapes: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("families") / "shapes"
    for name, px in (("yolo-96", 96), ("yolo-128", 128)):
        form = TensorForm(input_px=px)
        described = DetectorDescription(shapes["labels"], 50.0, "a guess", form=form)
        import_detector(name, shapes["yolo"], directory, described)
    import_detector("ssd", shapes["ssd"], directory,
                    DetectorDescription(shapes["labels"], 40.0, "a guess"))  # fmt: skip
    return directory


@pytest.fixture
async def running(bus: Bus, family: Path) -> AsyncIterator[Gateway]:
    """A device and its edge with the family of detectors; decisions are always the same."""
    common = {"models": family, "profile_repeats": 1}
    device = InferenceSettings(node="cam-1", home="edge-1", **common)
    edge = InferenceSettings(node="edge-1", tier="edge", batch=4, **common)
    settings = GatewaySettings(
        node="cam-1", gateway_port=broker.free_port(), idle=1000,
        gateway_deepstack_deadline_ms=5000, models=family, family="shapes",
    )  # fmt: skip
    async with serving(bus, settings, device, edge, decided=DECIDED) as front:
        yield front


def sent(seed: int, size: tuple[int, int] = SIZE, quality: int = 92) -> tuple[bytes, Truth]:
    picture, truth = drawn(seed, size)
    return encoded(picture, quality), truth


def encoded(picture: Image.Image, quality: int = 92) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=quality, subsampling=0)
    return buffer.getvalue()


def share_right(found: Found, truth: Truth) -> float:
    """Share of the shapes with a box of their class on them."""
    hits = sum(
        any(name == LABELS[label] and shapes_detector.overlap(np.array(edges), np.array(box)) > 0.5
            for name, box in found)
        for label, edges in truth
    )  # fmt: skip
    return hits / len(truth)


def edges(one: dict[str, Any]) -> list[float]:
    return [float(one[edge]) for edge in ("x_min", "y_min", "x_max", "y_max")]


def frigate(reply: dict[str, Any], labels: tuple[str, ...]) -> Found:
    """What Frigate's DeepStack client reads of an answer: it ends at the first that is no use."""
    found: Found = []
    for one in (reply.get("predictions") or [])[:20]:
        if one["confidence"] < 0.4 or one["label"] not in labels:
            break
        found.append((one["label"], edges(one)))
    return found


async def test_a_client_shaped_like_frigates_gets_the_shapes(running: Gateway) -> None:
    shares, options = [], set()
    for seed in range(600, 612):
        content, truth = sent(seed)
        body = form(content, api_key="")
        reply = await running.ask("POST", "/v1/vision/detection", body, Content_Type=FORM)
        assert reply.status == 200, reply.body
        scores = [one["confidence"] for one in reply.json["predictions"]]
        assert scores == sorted(scores, reverse=True) and min(scores, default=1) >= 0.4
        shares.append(share_right(frigate(reply.json, LABELS), truth))
        options.add(reply.json["option"])
    assert np.mean(shares) >= 0.75 and DECIDED in options
    named = await running.ask("POST", "/v1/vision/custom/shapes", body, Content_Type=FORM)
    assert named.status == 200 and "predictions" in named.json


async def test_tritons_client_gets_boxes_and_the_bus_has_them_too(
    running: Gateway, bus: Bus
) -> None:
    results: asyncio.Queue[Result] = asyncio.Queue()
    await bus.subscribe(Result, results.put)
    content, truth = sent(SURE)
    boxes, labels = await asyncio.to_thread(_triton, running.port, content)
    found = list(zip(labels, boxes, strict=True))
    assert share_right(found, truth) == 1.0
    result = await asyncio.wait_for(results.get(), 5)
    assert [box.name for box in result.boxes] == labels
    assert result.picture is not None
    assert (result.picture.width, result.picture.height) == SIZE


def _triton(port: int, content: bytes) -> tuple[list[list[float]], list[str]]:
    with triton.InferenceServerClient(f"127.0.0.1:{port}", network_timeout=20) as client:
        assert client.is_model_ready("shapes")
        names = {one["name"] for one in client.get_model_metadata("shapes")["outputs"]}
        assert names == {"boxes", "scores", "labels"}
        given = triton.InferInput("image", [1], "BYTES")
        given.set_data_from_numpy(np.array([content], dtype=np.object_))
        answer = client.infer("shapes", [given])
        scores = answer.as_numpy("scores")
        sure = int((scores >= 0.4).sum())
        labels = [label.decode() for label in answer.as_numpy("labels").tolist()]
        assert sure and len(answer.as_numpy("boxes")) == len(labels)
        return answer.as_numpy("boxes").tolist(), labels


async def test_boxes_fit_a_picture_that_was_sent_on_smaller(running: Gateway) -> None:
    content, truth = sent(712, (2560, 1920), 97)
    assert len(content) > 512 * 1024
    reply = await running.ask("POST", "/v1/infer?deadline_ms=9000&variant=yolo-128", content)
    assert reply.status == 200, reply.body
    assert reply.json["picture"] == {"width": 2560, "height": 1920}
    found = [(one["name"], edges(one)) for one in reply.json["boxes"] if one["probability"] > 0.4]
    assert share_right(found, truth) == 1.0


async def test_a_request_of_another_task_is_refused(running: Gateway) -> None:
    content, _ = sent(702)
    reply = await running.ask("POST", "/v1/vision/scene", form(content), Content_Type=FORM)
    assert reply.status == 501
    assert reply.json["error"] == "no classification here; families: shapes (detection)"


async def test_the_command_line_shows_boxes(running: Gateway, family: Path, tmp_path: Path) -> None:
    content, truth = sent(SURE)
    file = tmp_path / "shapes.jpg"
    file.write_bytes(content)
    url = f"http://127.0.0.1:{running.port}"
    asked = await asyncio.to_thread(_classify, file, "--url", url, "--json")
    alone = await asyncio.to_thread(
        _classify, file, "--local", "yolo-128", "--models", str(family), "--json"
    )
    for answer in map(json.loads, (asked, alone)):
        found = [(o["name"], edges(o)) for o in answer["boxes"] if o["probability"] > 0.4]
        assert share_right(found, truth) == 1.0
    shown = await asyncio.to_thread(_classify, file, "--url", url)
    first = json.loads(asked)["boxes"][0]
    x0, y0, x1, y1 = (round(edge) for edge in edges(first))
    line = f"{100 * first['probability']:5.1f} %  {first['name']}  ({x0}, {y0}) to ({x1}, {y1})"
    assert line in shown


def _classify(*arguments: object) -> str:
    command = [sys.executable, "-m", "tercet.cli", "classify", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    return done.stdout
