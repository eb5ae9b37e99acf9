"""Clients of a running gateway, each as it is, whose answers are compared with onnxruntime."""

from __future__ import annotations

import http.client
import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import tritonclient.http as triton

from tercet.models import manifest
from tercet.models.images import PHOTOGRAPHS, decode

BOUNDARY = "b0undary"
FORM = f"multipart/form-data; boundary={BOUNDARY}"
FAMILY = "mobilenet-v1"
PHOTOGRAPH = min(PHOTOGRAPHS.glob("*.jpg"))


def form(picture: bytes, name: str = "image", **fields: str) -> bytes:
    """A body of multipart/form-data as `requests` sends it."""
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'.encode()
        for key, value in fields.items()
    ]
    head = f'Content-Disposition: form-data; name="{name}"; filename="{name}"\r\n\r\n'
    start, end = f"--{BOUNDARY}\r\n{head}".encode(), f"\r\n--{BOUNDARY}--\r\n".encode()
    return b"".join([*parts, start, picture, end])


def directly(models: Path, variant: str, jpeg: bytes) -> Mapping[str, float]:
    """Class to probability, computed without any code of the classifier."""
    known = manifest.read(models)
    entry = known.entry(variant)
    session = onnxruntime.InferenceSession(known.path(variant))
    pixels = decode(jpeg, entry.input_px, entry.normalisation)
    (logits,) = session.run(None, {session.get_inputs()[0].name: pixels})[0].astype(np.float64)
    weights = np.exp(logits - logits.max())
    return dict(zip(known.labels(variant), weights / weights.sum(), strict=True))


def check_all(port: int, models: Path) -> set[str]:
    """Ask in every format; returns the variants that answered."""
    jpeg = PHOTOGRAPH.read_bytes()
    answered = {
        check_triton(port, models, jpeg),
        check_scene(port, models, jpeg),
        check_plain(port, models, jpeg),
    }
    return answered | ({check_curl(port, models)} if shutil.which("curl") else set())


def check_triton(port: int, models: Path, jpeg: bytes) -> str:
    """Triton's client: state, metadata, and three classes of a JPEG; returns the variant."""
    with triton.InferenceServerClient(f"127.0.0.1:{port}") as client:
        assert client.is_server_live()
        assert client.is_server_ready()
        assert client.is_model_ready(FAMILY)
        versions = client.get_model_metadata(FAMILY)["versions"]
        picture = triton.InferInput("image", [1], "BYTES")
        picture.set_data_from_numpy(np.array([jpeg], dtype=np.object_))
        wanted = triton.InferRequestedOutput("labels", class_count=3)
        result = client.infer(FAMILY, [picture], outputs=[wanted], timeout=20_000_000)
    variant: str = result.get_response()["model_version"]
    assert variant in versions
    expected = directly(models, variant, jpeg)
    names = manifest.read(models).labels(variant)
    found = [text.decode().split(":", 2) for text in result.as_numpy("labels")]
    assert len(found) == 3
    for score, index, label in found:
        assert float(score) == pytest.approx(expected[label], abs=1e-5)
        assert names[int(index)] == label
    return variant


def check_scene(port: int, models: Path, jpeg: bytes) -> str:
    """A form as an NVR program sends it; returns the variant."""
    answer = _post(port, "/v1/vision/scene?deadline_ms=20000", form(jpeg), FORM)
    assert answer["success"] is True
    variant = str(answer["option"]).partition("@")[0]
    expected = directly(models, variant, jpeg)
    assert answer["confidence"] == pytest.approx(expected[str(answer["label"])], abs=1e-5)
    assert answer["label"] == max(expected, key=expected.__getitem__)
    return variant


def check_plain(port: int, models: Path, jpeg: bytes) -> str:
    """A picture as body; returns the variant."""
    answer = _post(port, "/v1/infer?deadline_ms=20000", jpeg, "image/jpeg")
    return _equal(answer, models, jpeg)


def check_curl(port: int, models: Path) -> str:
    """`curl` as the documentation has it; returns the variant."""
    url = f"http://127.0.0.1:{port}/v1/infer?deadline_ms=20000"
    command = ["curl", "-sSf", "--data-binary", f"@{PHOTOGRAPH}", url]
    done = subprocess.run(command, capture_output=True, check=True, timeout=30)
    return _equal(json.loads(done.stdout), models, PHOTOGRAPH.read_bytes())


def _equal(answer: Mapping[str, object], models: Path, jpeg: bytes) -> str:
    variant = str(answer["option"]).partition("@")[0]
    expected = directly(models, variant, jpeg)
    labels = answer["labels"]
    assert isinstance(labels, list) and labels
    assert labels[0]["name"] == max(expected, key=expected.__getitem__)
    for label in labels:
        assert label["probability"] == pytest.approx(expected[label["name"]], abs=1e-5)
    return variant


def _post(port: int, path: str, body: bytes, kind: str) -> Mapping[str, object]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("POST", path, body, {"Content-Type": kind})
        response = connection.getresponse()
        content = response.read()
        assert response.status == 200, content
        answer: Mapping[str, object] = json.loads(content)
        return answer
    finally:
        connection.close()
