"""Whatever an application sends gets an HTTP status and one line, and others go on unaffected."""

from __future__ import annotations

import json
import zlib
from typing import Any

import pytest

from tercet.models.picture_decoding import MAX_SCANS
from tests.gateway_clients import BOUNDARY, FORM
from tests.integration.gateway_http.conftest import Gateway, Reply
from tests.integration.gateway_http.test_formats import PICTURE, form

INFER = "/v2/models/scenes/infer"
OCTETS = {"Content_Type": "application/octet-stream"}


def png_header(side: int) -> bytes:
    """A PNG of a square picture that ends with its header."""
    header = b"IHDR" + side.to_bytes(4) + side.to_bytes(4) + bytes([8, 2, 0, 0, 0])
    start = b"\x89PNG\r\n\x1a\n" + (13).to_bytes(4) + header + zlib.crc32(header).to_bytes(4)
    return start + bytes(4) + b"IDAT" + zlib.crc32(b"IDAT").to_bytes(4)


def tensor(**changes: Any) -> bytes:
    """The JSON of a request whose tensor is changed."""
    good = {"name": "image", "shape": [1], "datatype": "BYTES", "data": ["aGVsbG8="]}
    return json.dumps({"inputs": [{**good, **changes}]}).encode()


def with_tensor(size: object, element: bytes) -> tuple[bytes, dict[str, str]]:
    """A body with binary data, and its header."""
    head = json.loads(tensor())
    del head["inputs"][0]["data"]
    head["inputs"][0]["parameters"] = {"binary_data_size": size}
    text = json.dumps(head).encode()
    return text + element, {"Inference_Header_Content_Length": str(len(text))}


SCANS = PICTURE[:-2] + b"\xff\xda" * MAX_SCANS + PICTURE[-2:]
MANY = (4).to_bytes(4, "little") + b"abcd"

CASES: dict[str, tuple[str, bytes, dict[str, str], int, str]] = {
    "empty": ("/v1/infer", b"", OCTETS, 400, "empty"),
    "no picture": ("/v1/infer", b"GET / HTTP/1.1", OCTETS, 400, "not a usable picture"),
    "a huge picture": ("/v1/infer", png_header(10**5), OCTETS, 400, "10000000000 pixels"),
    "many scans": ("/v1/infer", SCANS, OCTETS, 400, "scans"),
    "a wrong type": ("/v1/infer", b"{}", {"Content_Type": "text/html"}, 415, "text/html"),
    "gzip": ("/v1/infer", b"x", {"Content_Encoding": "gzip"}, 415, "Content-Encoding"),
    "deadline 0": ("/v1/infer?deadline_ms=0", PICTURE, OCTETS, 400, "deadline"),
    "deadline nan": ("/v1/infer?deadline_ms=nan", PICTURE, OCTETS, 400, "deadline"),
    "deadline soon": ("/v1/infer", PICTURE, {"X_Deadline_Ms": "soon"}, 400, "soon"),
    "a long name": ("/v1/infer?source=" + 200 * "x", PICTURE, OCTETS, 400, "source"),
    "a truncated form": ("/v1/vision/scene", form()[:-40], {"Content_Type": FORM}, 400, "cut off"),
    "a form's beginning": ("/v1/vision/scene", form()[:20], {"Content_Type": FORM}, 400, "cut off"),
    "an empty form": ("/v1/vision/scene", b"", {"Content_Type": FORM}, 400, "cut off"),
    "another field": ("/v1/vision/scene", form("file"), {"Content_Type": FORM}, 400, "image"),
    "no boundary": (
        "/v1/vision/scene", form(), {"Content_Type": "multipart/form-data"}, 400, "boundary",
    ),
    "a wrong boundary": (
        "/v1/vision/scene", form(), {"Content_Type": FORM + "x"}, 400, "cut off",
    ),
    "no parts": (
        "/v1/vision/scene", b"none" + form()[-20:], {"Content_Type": FORM}, 400, "Invalid",
    ),
    "no form": ("/v1/vision/scene", PICTURE, OCTETS, 415, "multipart"),
    "two files": (
        "/v1/vision/scene", form()[: -len(BOUNDARY) - 8] + b"\r\n" + form(),
        {"Content_Type": FORM}, 400, "Too many files",
    ),
    "an unknown model": ("/v2/models/cats/infer", tensor(), {}, 404, "scenes"),
    "an unknown version": ("/v2/models/scenes/versions/9/infer", tensor(), {}, 404, "d0, d3"),
    "an unknown path": ("/v2/models/scenes/config", b"", {}, 404, "nothing at /v2"),
    "no JSON": (INFER, b"{", {}, 400, "JSON"),
    "no inputs": (INFER, b'{"inputs": []}', {}, 400, "one tensor"),
    "no name": (INFER, b'{"inputs": [{"shape": [1], "datatype": "BYTES"}]}', {}, 400, "name"),
    "deep JSON": (INFER, b"[" * 100_000, {}, 400, "JSON"),
    "another datatype": (INFER, tensor(datatype="FP32"), {}, 400, "BYTES"),
    "another shape": (INFER, tensor(shape=[1, 224, 224, 3]), {}, 400, "shape [1]"),
    "a negative shape": (INFER, tensor(shape=[-1]), {}, 400, "shape"),
    "no base64": (INFER, tensor(data=["?"]), {}, 400, "base64"),
    "numbers": (INFER, tensor(data=[1.5]), {}, 400, "base64"),
    "base64 of no picture": (INFER, tensor(), {}, 400, "not a usable picture"),
    "a header length beyond": (
        INFER, tensor(), {"Inference_Header_Content_Length": "99999"}, 400, "99999",
    ),
    "a negative length": (INFER, tensor(), {"Inference_Header_Content_Length": "-1"}, 400, "-1"),
    "a short length": (INFER, tensor(), {"Inference_Header_Content_Length": "9"}, 400, "JSON"),
    "a size that lies": (INFER, *with_tensor(999, MANY), 400, "binary_data_size: 999"),
    "a size that is text": (INFER, *with_tensor("8", MANY), 400, "binary_data_size"),
    "an element that lies": (INFER, *with_tensor(9, MANY + b"x"), 400, "element"),
    "data of no input": (
        INFER, tensor() + b"more", {"Inference_Header_Content_Length": str(len(tensor()))},
        400, "belong to no input",
    ),
    "an unknown output": (
        INFER, json.dumps({**json.loads(tensor()), "outputs": [{"name": "boxes"}]}).encode(),
        {}, 400, "boxes",
    ),
    "a timeout of text": (
        INFER, json.dumps({**json.loads(tensor()), "parameters": {"timeout": "1"}}).encode(),
        {}, 400, "timeout",
    ),
}  # fmt: skip


def check_refused(reply: Reply, status: int, word: str) -> None:
    assert reply.status == status, reply.body
    assert word in reply.json["error"]
    assert "\n" not in reply.json["error"]


async def test_bad_requests_get_a_status_and_one_line(gateway: Gateway) -> None:
    for name, (path, body, headers, status, word) in CASES.items():
        reply = await gateway.ask("POST", path, body, **headers)
        try:
            check_refused(reply, status, word)
        except AssertionError as error:
            raise AssertionError(f"{name}: {reply}") from error
    assert gateway.requests == []
    assert (await gateway.ask("POST", "/v1/infer", PICTURE)).status == 200


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/v1/infer", "POST"),
        ("OPTIONS", "/v1/infer", "POST"),
        ("DELETE", INFER, "POST"),
        ("GET", "/v1/vision/scene", "POST"),
        ("POST", "/v2/models/scenes", "GET, HEAD"),
        ("POST", "/v2/health/live", "GET, HEAD"),
    ],
)
async def test_a_wrong_method_is_refused(
    gateway: Gateway, method: str, path: str, allowed: str
) -> None:
    reply = await gateway.ask(method, path)
    check_refused(reply, 405, f"{method} is not a method of {path}")
    assert reply.json["error"].endswith(f"it takes {allowed.replace(', ', ' and ')}")
    assert reply.headers["allow"] == allowed
    assert (reply.json.get("success") is False) == path.startswith("/v1/vision/")
