"""Boxes in each format, and requests that do not fit a family's task."""

from __future__ import annotations

import struct
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from tercet.schemas.fleet import Box, PictureSize
from tercet.services.gateway.http.families import Family
from tests.integration.gateway_http.conftest import FAMILY, Gateway, running_front
from tests.integration.gateway_http.test_formats import FORM, PICTURE, form

OBJECTS = (
    Box(name="person", probability=0.875, x_min=10.4, y_min=20, x_max=110.6, y_max=220),
    Box(name="dog", probability=0.5, x_min=300, y_min=40.25, x_max=420, y_max=200),
    Box(name="cat", probability=0.25, x_min=0, y_min=0, x_max=5, y_max=5),
)
DETECTORS = Family("home", ("n-320", "n-640"), ("cat", "dog", "person"), task="detection")


@pytest.fixture
async def gateway() -> AsyncIterator[Gateway]:
    async with running_front() as running:
        size = PictureSize(width=640, height=480)
        running.answer = replace(running.answer, labels=(), boxes=OBJECTS, picture=size)
        running.families = (FAMILY, DETECTORS)
        yield running


@pytest.mark.parametrize("path", ["detection", "custom/home"])
async def test_deepstack_gives_objects_from_a_confidence_on(gateway: Gateway, path: str) -> None:
    reply = await gateway.ask("POST", f"/v1/vision/{path}", form(), Content_Type=FORM)
    assert reply.status == 200
    assert reply.json["success"] is True and reply.json["count"] == 2
    assert reply.json["predictions"] == [
        {"label": "person", "confidence": 0.875, "x_min": 10, "y_min": 20, "x_max": 111,
         "y_max": 220},
        {"label": "dog", "confidence": 0.5, "x_min": 300, "y_min": 40, "x_max": 420,
         "y_max": 200},
    ]  # fmt: skip
    assert gateway.requests[-1].family == "home"
    low = form(min_confidence="0.2")
    reply = await gateway.ask("POST", f"/v1/vision/{path}", low, Content_Type=FORM)
    assert [p["label"] for p in reply.json["predictions"]] == ["person", "dog", "cat"]


async def test_a_request_that_does_not_fit_is_refused_in_one_line(gateway: Gateway) -> None:
    for path, fields, status, reason in (
        ("custom/scenes", {}, 400, "model 'scenes' is for classification, not for detection"),
        ("custom/ppe", {}, 404, "no object detection model 'ppe' here; families: scenes"),
        ("detection", {"min_confidence": "much"}, 400, "min_confidence: 'much' is no number"),
        ("detection", {"min_confidence": "nan"}, 400, "min_confidence: 'nan' is no number"),
        ("detection", {"min_confidence": "1.5"}, 400, "min_confidence: '1.5' is no number"),
    ):
        body = form(**fields)
        reply = await gateway.ask("POST", f"/v1/vision/{path}", body, Content_Type=FORM)
        assert (reply.status, reply.json["success"]) == (status, False)
        assert reason in reply.json["error"]
    gateway.families = (DETECTORS,)
    reply = await gateway.ask("POST", "/v1/vision/scene", form(), Content_Type=FORM)
    assert reply.status == 501
    assert reply.json["error"] == "no classification here; families: home (detection)"
    assert gateway.requests == []


async def test_open_inference_describes_and_gives_boxes(gateway: Gateway) -> None:
    described = await gateway.ask("GET", "/v2/models/home")
    assert described.json["outputs"] == [
        {"name": "boxes", "datatype": "FP32", "shape": [-1, 4]},
        {"name": "scores", "datatype": "FP32", "shape": [-1]},
        {"name": "labels", "datatype": "BYTES", "shape": [-1]},
    ]
    headers = {"Inference_Header_Content_Length": "0"}
    reply = await gateway.ask("POST", "/v2/models/home/infer", PICTURE, **headers)
    boxes, scores, labels = reply.json["outputs"]
    assert boxes["shape"] == [3, 4] and boxes["data"][:4] == [10.4, 20.0, 110.6, 220.0]
    assert scores["data"] == [0.875, 0.5, 0.25]
    assert labels["data"] == ["person", "dog", "cat"]


async def test_open_inference_refuses_outputs_of_another_task(gateway: Gateway) -> None:
    head = b'{"inputs": [{"name": "image", "shape": [1], "datatype": "BYTES", "data": ["AAAA"]}],'
    for model, output, reason in (
        ("home", '{"name": "probabilities"}', "unknown output 'probabilities' of detection"),
        ("scenes", '{"name": "boxes"}', "unknown output 'boxes' of classification"),
        ("home", '{"name": "boxes", "parameters": {"classification": 3}}', "output boxes"),
    ):
        body = head + f'"outputs": [{output}]}}'.encode()
        reply = await gateway.ask("POST", f"/v2/models/{model}/infer", body)
        assert reply.status == 400
        assert reason in reply.json["error"]


async def test_boxes_as_binary_data(gateway: Gateway) -> None:
    head = (
        b'{"inputs": [{"name": "image", "shape": [1], "datatype": "BYTES", "parameters":'
        b' {"binary_data_size": %d}}], "outputs": [{"name": "boxes", "parameters":'
        b' {"binary_data": true}}, {"name": "labels", "parameters": {"classification": 1}}]}'
        % (len(PICTURE) + 4)
    )
    body = head + len(PICTURE).to_bytes(4, "little") + PICTURE
    reply = await gateway.ask(
        "POST", "/v2/models/home/infer", body, Inference_Header_Content_Length=str(len(head))
    )
    assert reply.status == 200
    size = int(reply.headers["inference-header-content-length"])
    assert struct.unpack("<4f", reply.body[size : size + 16])[1:] == pytest.approx(
        (20.0, 110.6, 220.0)
    )
    assert len(reply.body) - size == 3 * 16
    assert b'"0.875000:2:person"' in reply.body[:size]


async def test_plain_gives_boxes_and_the_size_of_the_picture(gateway: Gateway) -> None:
    reply = await gateway.ask("POST", "/v1/infer?family=home", PICTURE)
    assert reply.json["labels"] == []
    assert reply.json["picture"] == {"width": 640, "height": 480}
    assert reply.json["boxes"][1] == {
        "name": "dog", "probability": 0.5, "x_min": 300.0, "y_min": 40.25, "x_max": 420.0,
        "y_max": 200.0,
    }  # fmt: skip
