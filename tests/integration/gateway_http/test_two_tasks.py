"""A family of detectors and one of classifiers on a gateway: each route asks the one that fits."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tercet.messaging import broker
from tercet.messaging.bus import Bus
from tercet.models.detector_import import DetectorDescription, import_detector
from tercet.models.onnx_import import ModelDescription, import_classifier
from tercet.models.tensor_form import TensorForm
from tercet.services.gateway.settings import GatewaySettings
from tercet.services.inference.settings import InferenceSettings
from tests.gateway_clients import FORM, form
from tests.integration.gateway_http.conftest import Gateway
from tests.integration.gateway_http.running_nodes import serving
from tests.shapes_detector import LABELS, drawn
from tests.system.cli.invoke import invoke
from tests.unit.models.exported import CLASSES, Export


@pytest.fixture
def families(shapes: dict[str, Path], tmp_path: Path) -> Path:
    root, file, names = tmp_path / "models", tmp_path / "model.onnx", tmp_path / "rooms.txt"
    described = DetectorDescription(shapes["labels"], 50.0, "ours", form=TensorForm(input_px=128))
    import_detector("yolo-128", shapes["yolo"], root / "shapes", described)
    file.write_bytes(Export().model().SerializeToString())
    names.write_text("".join(f"room-{number}\n" for number in range(CLASSES)))
    import_classifier("small", file, root / "rooms", ModelDescription(names, 60.0, "ours"))
    return root


@pytest.fixture
async def running(bus: Bus, families: Path) -> AsyncIterator[Gateway]:
    node = InferenceSettings(node="cam-1", home="edge-1", models=families, profile_repeats=1)
    settings = GatewaySettings(
        node="cam-1", gateway_port=broker.free_port(), idle=1000, models=families,
        gateway_deepstack_deadline_ms=9000, inference_timeout=9,
    )  # fmt: skip
    async with serving(bus, settings, node) as front:
        yield front


async def test_each_route_asks_the_family_of_its_task(running: Gateway) -> None:
    picture, truth = drawn(727, (320, 240))
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    content = buffer.getvalue()
    for path, option in (
        ("/v1/vision/scene", "small@L"),
        ("/v1/vision/detection", "yolo-128@L"),
        ("/v1/vision/custom/shapes", "yolo-128@L"),
    ):
        reply = await running.ask("POST", path, form(content), Content_Type=FORM)
        assert (reply.status, reply.json.get("option")) == (200, option), reply.body
    names = {one["label"] for one in reply.json["predictions"]}
    assert names == {LABELS[label] for label, _ in truth}
    wrong = await running.ask("POST", "/v1/vision/custom/rooms", form(content), Content_Type=FORM)
    assert wrong.json["error"] == "model 'rooms' is for classification, not for detection"
    for family, outputs in (
        ("rooms", ["labels", "probabilities"]),
        ("shapes", ["boxes", "scores", "labels"]),
    ):
        path = f"/v2/models/{family}/infer"
        answer = await running.ask("POST", path, content, Inference_Header_Content_Length="0")
        assert [one["name"] for one in answer.json["outputs"]] == outputs
    plain = await running.ask("POST", "/v1/infer?family=shapes", content)
    assert plain.json["boxes"] and not plain.json["labels"]


async def test_the_command_line_names_a_family(running: Gateway, tmp_path: Path) -> None:
    file = tmp_path / "shapes.png"
    drawn(727, (320, 240))[0].save(file)
    url = f"http://127.0.0.1:{running.port}"
    ask = ("classify", str(file), "--url", url, "--family")
    boxes = await asyncio.to_thread(invoke, *ask, "shapes")
    assert boxes.code == 0 and "yolo-128@L on cam-1" in boxes.stdout
    assert ") to (" in boxes.stdout
    labels = await asyncio.to_thread(invoke, *ask, "rooms")
    assert labels.code == 0 and "room-" in labels.stdout
    unknown = await asyncio.to_thread(invoke, *ask, "doors")
    assert unknown.code == 2
    assert "unknown model 'doors': this gateway offers" in unknown.stderr
    local = await asyncio.to_thread(invoke, *ask, "shapes", "--local", "yolo-128")
    assert "--family does not go with --local" in local.stderr
