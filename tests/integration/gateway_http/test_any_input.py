"""Generated input: whatever is sent is parsed or refused, by the parser and by the application."""

from __future__ import annotations

import base64
import json
from functools import partial
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tercet.models.raw_tensors import unpacked
from tercet.models.tensor_signature import TensorSpec
from tercet.services.gateway.http.open_inference_body import parse
from tercet.services.gateway.http.open_inference_tensors import tensor_of
from tercet.services.gateway.http.refusal import Refused
from tercet.services.gateway.http.web_application import web_application
from tests import gateway_clients
from tests.gateway_clients import FORM
from tests.integration.gateway_http.conftest import Gateway
from tests.integration.gateway_http.test_bad_input import INFER, tensor
from tests.integration.gateway_http.test_formats import PICTURE

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["inputs", "name", "shape", "datatype", "data", "parameters", "outputs"]),
        inner, max_size=4,
    ),
    max_leaves=12,
)  # fmt: skip
BODIES = st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode())


SMALL_FORM = gateway_clients.form(b"no picture")


@settings(deadline=None, max_examples=400)
@given(
    body=BODIES,
    rest=st.binary(max_size=40),
    length=st.none() | st.integers(-3, 300).map(str) | st.text(max_size=6),
)
def test_any_body_is_parsed_or_refused(body: bytes, rest: bytes, length: str | None) -> None:
    try:
        parsed = parse(body + rest, length, 150)
    except Refused as refused:
        assert 400 <= refused.status < 500
        assert refused.reason
    else:
        assert isinstance(parsed.content, bytes)


@settings(deadline=None, max_examples=400)
@given(
    data=JSON,
    shape=st.lists(st.integers(0, 2**63), max_size=3) | st.just([1, 2]),
    size=st.none() | st.integers(-1, 12),
    rest=st.binary(max_size=12),
)
def test_any_tensor_is_parsed_or_refused(
    data: Any, shape: list[int], size: int | None, rest: bytes
) -> None:
    parameters = {} if size is None else {"binary_data_size": size}
    given = {"name": "x", "shape": shape, "datatype": "UINT8", "data": data}
    body = json.dumps({"inputs": [{**given, "parameters": parameters}]}).encode()
    expected = TensorSpec(name="x", datatype="UINT8", shape=(-1, 2))
    try:
        read = partial(tensor_of, expected=expected)
        parsed = parse(body + rest, str(len(body)), 10_000, read)
    except Refused as refused:
        assert refused.status == 400 and refused.reason
    else:
        assert unpacked(parsed.content).shape[1:] == (2,)


@settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    path=st.sampled_from(["/v1/infer", INFER, "/v1/vision/scene"]),
    body=BODIES | st.integers(1, len(SMALL_FORM)).map(lambda keep: SMALL_FORM[:keep]),
    kind=st.sampled_from(["image/jpeg", FORM, "multipart/form-data; boundary=", "a/b; charset=é"]),
)
async def test_any_request_gets_a_status(path: str, body: bytes, kind: str) -> None:
    status, answered = await asgi(path, body, kind)
    assert 400 <= status < 500
    assert set(json.loads(answered)) <= {"error", "success", "code"}


GOOD = json.loads(tensor(data=[base64.b64encode(PICTURE).decode()]))
PARTS = st.dictionaries(
    st.sampled_from(["timeout", "classification", "binary_data", "binary_data_output", "x"]),
    JSON | st.integers(-(10**400), 10**400), max_size=3,
)  # fmt: skip
OUTPUT = st.fixed_dictionaries(
    {"name": st.sampled_from(["labels", "probabilities", "boxes"])}, optional={"parameters": PARTS}
)


@settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    changes=st.fixed_dictionaries(
        {}, optional={"parameters": PARTS, "outputs": st.lists(OUTPUT, max_size=3), "id": JSON}
    ),
    query=st.binary(max_size=30) | st.builds(b"deadline_ms=%b".__mod__, st.binary(max_size=9)),
)
async def test_a_good_picture_with_anything_beside_it_is_no_defect(
    changes: dict[str, Any], query: bytes
) -> None:
    status, _ = await asgi(INFER, json.dumps({**GOOD, **changes}).encode(), "a/b", query)
    assert status == 200 or 400 <= status < 500


async def asgi(path: str, body: bytes, kind: str, query: bytes = b"") -> tuple[int, bytes]:
    """The response of the application, without a socket."""
    gateway = Gateway()
    gateway.proceed.set()
    application = web_application(gateway.infer, lambda: gateway.families)
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http", "method": "POST", "path": path, "raw_path": path.encode(),
        "query_string": query, "headers": [(b"content-type", kind.encode("latin-1"))],
        "http_version": "1.1", "scheme": "http", "root_path": "", "app": application,
        "server": ("127.0.0.1", 80), "client": ("127.0.0.1", 9),
    }  # fmt: skip
    await application(scope, receive, send)
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent[1:])
