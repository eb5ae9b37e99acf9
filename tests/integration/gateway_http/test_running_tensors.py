"""A family for raw tensors: Triton's client sends what the model takes and gets what it gives."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException

from tercet.messaging import broker
from tercet.messaging.bus import Bus
from tercet.models.classifier import Classifier
from tercet.models.errors import InputError, ModelError
from tercet.models.raw_tensors import packed, unpacked
from tercet.models.tensor_import import import_tensors
from tercet.services.gateway.settings import GatewaySettings
from tercet.services.inference.settings import InferenceSettings
from tests.gateway_clients import FORM, form
from tests.integration.gateway_http.conftest import Gateway
from tests.integration.gateway_http.running_nodes import serving
from tests.integration.gateway_http.test_formats import PICTURE

GIVEN = np.random.default_rng(0).uniform(0, 1, (1, 3, 64, 96)).astype(np.float32)


@pytest.fixture
def family(shapes: dict[str, Path], tmp_path: Path) -> Path:
    directory = tmp_path / "raw"
    import_tensors("plain", shapes["yolo"], directory, 50.0, "a guess")
    return directory


@pytest.fixture
async def running(bus: Bus, family: Path) -> AsyncIterator[Gateway]:
    node = InferenceSettings(node="cam-1", home="edge-1", models=family, profile_repeats=1)
    settings = GatewaySettings(
        node="cam-1", gateway_port=broker.free_port(), idle=1000, models=family, family="raw"
    )
    async with serving(bus, settings, node) as front:
        yield front


async def test_tensors_are_those_of_direct_onnxruntime(
    running: Gateway, shapes: dict[str, Path]
) -> None:
    session = onnxruntime.InferenceSession(shapes["yolo"])
    (expected,) = session.run(None, {"images": GIVEN})
    for binary in (True, False):
        found = await asyncio.to_thread(_ask, running.port, GIVEN, binary)
        assert found.shape == expected.shape
        np.testing.assert_allclose(found, expected, rtol=1e-5)


def _ask(port: int, given: np.ndarray, binary: bool) -> np.ndarray:
    with triton.InferenceServerClient(f"127.0.0.1:{port}", network_timeout=20) as client:
        described = client.get_model_metadata("raw")
        assert described["inputs"] == [
            {"name": "images", "datatype": "FP32", "shape": [-1, 3, -1, -1]}
        ]
        tensor = triton.InferInput("images", list(given.shape), "FP32")
        tensor.set_data_from_numpy(given, binary_data=binary)
        wanted = triton.InferRequestedOutput("output0", binary_data=binary)
        answer: np.ndarray = client.infer("raw", [tensor], outputs=[wanted]).as_numpy("output0")
        return answer


async def test_what_does_not_fit_is_refused_with_the_field(running: Gateway) -> None:
    with pytest.raises(InferenceServerException, match=r"input images: shape .* is expected"):
        await asyncio.to_thread(_ask, running.port, GIVEN[:, :2], True)
    head = b'{"inputs": [{"name": "%b", "shape": [1], "datatype": "%b", "data": ["AAAA"]}]}'
    for name, datatype, reason in (
        (b"images", b"BYTES", "input images: datatype FP32 is expected, not BYTES"),
        (b"image", b"FP32", "input image: the model's input is images"),
    ):
        reply = await running.ask("POST", "/v2/models/raw/infer", head % (name, datatype))
        assert reply.status == 400
        assert reason in reply.json["error"]


async def test_a_picture_for_tensors_is_refused(running: Gateway) -> None:
    for path in ("/v1/infer", "/v1/infer?family=raw"):
        reply = await running.ask("POST", path, PICTURE)
        assert reply.status == 400
        assert reply.json["error"].startswith("model 'raw' takes tensors, no pictures")
    body = await running.ask(
        "POST", "/v2/models/raw/infer", PICTURE, Inference_Header_Content_Length="0"
    )
    assert body.status == 400
    custom = await running.ask("POST", "/v1/vision/custom/raw", form(PICTURE), Content_Type=FORM)
    assert (custom.status, custom.json["error"]) == (
        400, "model 'raw' is for tensors, not for detection",
    )  # fmt: skip


def test_a_picture_or_another_tensor_is_refused_by_the_model(family: Path) -> None:
    classifier = Classifier(family)
    for content, reason in (
        (PICTURE, "input: no tensor in NumPy's format"),
        (b"", "input: no tensor in NumPy's format"),
        (packed(GIVEN)[:-4], "bytes are no float32"),
        (packed(GIVEN[0]), r"input images: FP32 \[-1, 3, -1, -1\] is expected"),
        (packed(GIVEN.astype(np.float64)), "is expected, not float64"),
    ):
        with pytest.raises(InputError, match=reason):
            classifier.classify(content, "plain")
    assert classifier.classify(packed(GIVEN), "plain").tensors[0][0] == "output0"


def test_a_header_that_lies_takes_no_memory() -> None:
    content = packed(np.zeros(4, np.float32))
    huge = content.replace(b"(4,), }" + 10 * b" ", b"(40000000000,), }")
    assert len(huge) == len(content) and huge != content
    for broken in (huge, content.replace(b"<f4", b"|O8"), content.replace(b"(4,)", b"(9,)")):
        with pytest.raises(InputError):
            unpacked(broken)


def test_variants_of_a_family_share_their_tensors(family: Path, shapes: dict[str, Path]) -> None:
    with pytest.raises(ModelError, match="not those of plain: use a family of its own"):
        import_tensors("other", shapes["ssd"], family, 50.0, "a guess")
