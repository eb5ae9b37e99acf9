"""Each format as its clients send it: tritonclient, an NVR's form, curl."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import numpy as np
import tritonclient.http as triton

from tercet.models.classifier import photograph
from tests import gateway_clients
from tests.gateway_clients import FORM
from tests.integration.gateway_http.conftest import DECISION, Gateway

PICTURE = photograph()


def form(name: str = "image", **fields: str) -> bytes:
    """A form with the photograph."""
    return gateway_clients.form(PICTURE, name, **fields)


async def test_a_picture_as_body(gateway: Gateway) -> None:
    reply = await gateway.ask(
        "POST", "/v1/infer?source=door", PICTURE, Content_Type="image/jpeg", X_Frame="f-7"
    )
    assert reply.status == 200
    assert reply.json["labels"][0] == {"name": "palace", "probability": 0.875}
    assert reply.json["option"] == "d3@E"
    assert (reply.json["node"], reply.json["window"]) == ("edge-1", 7)
    assert reply.json["decision"] == str(DECISION)
    assert reply.json["parts"] == {"network_ms": 1.5, "queue_ms": 0.25, "compute_ms": 14.0}
    assert (reply.json["source"], reply.json["frame"]) == ("door", "f-7")
    assert reply.headers["server-timing"] == (
        "network;dur=1.500, queue;dur=0.250, compute;dur=14.000, total;dur=16.000"
    )
    (request,) = gateway.requests
    assert request.picture == PICTURE
    assert (request.source, request.frame, request.deadline_ms) == ("door", "f-7", 5000)
    assert (request.family, request.variant) == (None, None)


async def test_a_picture_as_curl_sends_it(gateway: Gateway) -> None:
    binary = await gateway.ask(
        "POST", "/v1/infer", PICTURE, Content_Type="application/x-www-form-urlencoded"
    )
    as_form = await gateway.ask("POST", "/v1/infer", form(), Content_Type=FORM)
    assert (binary.status, as_form.status) == (200, 200)
    assert [request.picture for request in gateway.requests] == [PICTURE, PICTURE]


async def test_a_family_and_a_variant_may_be_named(gateway: Gateway) -> None:
    reply = await gateway.ask("POST", "/v1/infer?family=scenes&variant=d0", PICTURE)
    assert reply.status == 200
    assert (gateway.requests[0].family, gateway.requests[0].variant) == ("scenes", "d0")
    unknown = await gateway.ask("POST", "/v1/infer?variant=d9", PICTURE)
    assert unknown.status == 404
    assert unknown.json == {"error": "unknown version 'd9' of scenes: it has d0, d3"}


async def test_tritons_client_asks_for_state_and_metadata(gateway: Gateway) -> None:
    def ask() -> tuple[Any, ...]:
        with triton.InferenceServerClient(f"127.0.0.1:{gateway.port}") as client:
            return (
                client.is_server_live(),
                client.is_server_ready(),
                client.is_model_ready("scenes"),
                client.is_model_ready("scenes", "d3"),
                client.is_model_ready("cats"),
                client.get_server_metadata(),
                client.get_model_metadata("scenes"),
            )

    *states, server, model = await asyncio.to_thread(ask)
    assert states == [True, True, True, True, False]
    assert server["extensions"] == ["binary_tensor_data", "classification"]
    assert model["versions"] == ["d0", "d3"]
    assert model["inputs"] == [{"name": "image", "datatype": "BYTES", "shape": [1]}]


async def test_tritons_client_infers_with_the_classification_extension(gateway: Gateway) -> None:
    def ask(binary: bool) -> triton.InferResult:
        with triton.InferenceServerClient(f"127.0.0.1:{gateway.port}") as client:
            picture = triton.InferInput("image", [1], "BYTES")
            picture.set_data_from_numpy(np.array([PICTURE], dtype=np.object_))
            wanted = triton.InferRequestedOutput("labels", binary_data=binary, class_count=2)
            return client.infer(
                "scenes", [picture], outputs=[wanted], request_id="f-9", timeout=250_000
            )

    for binary in (True, False):
        result = await asyncio.to_thread(ask, binary)
        found = [
            text.decode() if isinstance(text, bytes) else text for text in result.as_numpy("labels")
        ]
        assert found == ["0.875000:2:palace", "0.062500:0:castle"]
        response = result.get_response()
        assert (response["model_name"], response["model_version"]) == ("scenes", "d3")
        assert (response["id"], response["parameters"]["node"]) == ("f-9", "edge-1")
    request = gateway.requests[0]
    assert (request.picture, request.family, request.frame) == (PICTURE, "scenes", "f-9")
    assert request.deadline_ms == 250


async def test_tritons_client_without_requested_outputs_gets_all(gateway: Gateway) -> None:
    def ask() -> triton.InferResult:
        with triton.InferenceServerClient(f"127.0.0.1:{gateway.port}") as client:
            picture = triton.InferInput("anything", [1, 1], "BYTES")
            picture.set_data_from_numpy(np.array([[PICTURE]], dtype=np.object_))
            return client.infer("scenes", [picture], model_version="d0")

    result = await asyncio.to_thread(ask)
    assert list(result.as_numpy("labels")) == [b"palace", b"castle", b"church"]
    assert list(result.as_numpy("probabilities")) == [0.875, 0.0625, 0.03125]
    assert gateway.requests[0].variant == "d0"


async def test_a_picture_in_json_and_a_raw_one(gateway: Gateway) -> None:
    tensor = {"name": "image", "shape": [1], "datatype": "BYTES"}
    data = [base64.b64encode(PICTURE).decode()]
    body = json.dumps({"inputs": [{**tensor, "data": data}]}).encode()
    in_json = await gateway.ask("POST", "/v2/models/scenes/infer", body)
    raw = await gateway.ask(
        "POST", "/v2/models/scenes/infer", PICTURE, Inference_Header_Content_Length="0"
    )
    assert (in_json.status, raw.status) == (200, 200)
    assert in_json.json["outputs"][0]["data"] == ["palace", "castle", "church"]
    assert [request.picture for request in gateway.requests] == [PICTURE, PICTURE]


async def test_a_scene_as_an_nvr_asks_for_it(gateway: Gateway) -> None:
    body = form(api_key="", min_confidence="0.4")
    reply = await gateway.ask("POST", "/v1/vision/scene", body, Content_Type=FORM)
    assert reply.status == 200
    expected = {"success": True, "label": "palace", "confidence": 0.875}
    assert expected.items() <= reply.json.items()
    assert gateway.requests[0].deadline_ms == 100


async def test_detection_is_refused_in_its_own_format(gateway: Gateway) -> None:
    for path, status in (("detection", 501), ("custom/ppe", 404)):
        reply = await gateway.ask("POST", f"/v1/vision/{path}", form(), Content_Type=FORM)
        assert reply.status == status
        assert reply.json["success"] is False
        assert "scenes (classification)" in reply.json["error"]
    assert gateway.requests == []


async def test_a_deadline_by_header_query_and_its_bound(gateway: Gateway) -> None:
    await gateway.ask("POST", "/v1/infer", PICTURE, X_Deadline_Ms="80")
    await gateway.ask("POST", "/v1/vision/scene?deadline_ms=900", form(), Content_Type=FORM)
    await gateway.ask("POST", "/v1/infer?deadline_ms=31536000000", PICTURE)
    assert [request.deadline_ms for request in gateway.requests] == [80, 900, 60_000]


async def test_an_answer_without_labels_is_a_status_and_a_line(gateway: Gateway) -> None:
    gateway.refusing("overloaded", "no node has room", 2.4)
    reply = await gateway.ask("POST", "/v1/infer", PICTURE)
    assert (reply.status, reply.headers["retry-after"]) == (503, "3")
    assert reply.json == {"error": "no node has room"}
    gateway.refusing("too-late", "no answer within 100 ms")
    reply = await gateway.ask("POST", "/v1/vision/scene", form(), Content_Type=FORM)
    assert reply.status == 504
    assert reply.json == {"success": False, "error": "no answer within 100 ms", "code": 504}
    gateway.refusing("failed", "not a usable picture")
    reply = await gateway.ask(
        "POST", "/v2/models/scenes/infer", PICTURE, Inference_Header_Content_Length="0"
    )
    assert (reply.status, reply.json) == (422, {"error": "not a usable picture"})
