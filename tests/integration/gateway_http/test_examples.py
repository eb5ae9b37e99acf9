"""The examples for applications, each as a process; and `tercet classify`."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tercet.models.images import PHOTOGRAPHS
from tests.integration.gateway_http.conftest import Gateway, running_front
from tests.integration.gateway_http.test_formats import PICTURE
from tests.system.cli.invoke import invoke

EXAMPLES = Path(__file__).parents[3] / "examples"
PHOTOGRAPH = str(min(PHOTOGRAPHS.glob("*.jpg")))


async def output(*command: str, **environment: str) -> str:
    """What a command prints; an error is a failure."""
    done = await asyncio.to_thread(
        subprocess.run, command, capture_output=True, text=True, timeout=30, env=environment or None
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def url(gateway: Gateway) -> str:
    return f"http://127.0.0.1:{gateway.port}"


async def test_ten_lines_of_python(gateway: Gateway) -> None:
    shown = await output(sys.executable, str(EXAMPLES / "classify.py"), PHOTOGRAPH, url(gateway))
    assert shown.splitlines()[0] == "87.5% palace"
    assert "from d3@E on edge-1" in shown
    assert gateway.requests[0].picture == PICTURE


async def test_an_nvr(gateway: Gateway) -> None:
    shown = await output(sys.executable, str(EXAMPLES / "nvr.py"), PHOTOGRAPH, url(gateway))
    assert shown == "palace 87.5%\n"


async def test_a_camera(gateway: Gateway) -> None:
    program = (sys.executable, str(EXAMPLES / "camera.py"))
    options = ("--gateway", url(gateway), "--frames", "3", "--every", "0.01", "--name", "door")
    shown = await output(*program, PHOTOGRAPH, *options)
    assert shown == "frame 1: palace (88%; d3@E on edge-1, 16 ms)\n"
    named = [(request.source, request.frame) for request in gateway.requests]
    assert named == [("door", "1"), ("door", "2"), ("door", "3")]
    gateway.refusing("overloaded", "no node has room", 0.01)
    refused = await output(*program, PHOTOGRAPH, *options[:2], "--frames", "1")
    assert "frame 1 dropped: 503" in refused and "no node has room" in refused


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
async def test_curl(gateway: Gateway) -> None:
    script = str(EXAMPLES / "curl.sh")
    path = str(Path(shutil.which("curl") or "").parent)
    shown = await output("sh", script, PHOTOGRAPH, url(gateway), FAMILY="scenes", PATH=path)
    plain, scene, server, raw = (json.loads(line) for line in shown.splitlines())
    assert (plain["labels"][0]["name"], scene["label"]) == ("palace", "palace")
    assert server["name"] == "tercet"
    assert raw["outputs"][0]["data"][0] == "palace"


async def test_classify_asks_a_gateway(gateway: Gateway) -> None:
    done = await asyncio.to_thread(invoke, "classify", PHOTOGRAPH, "--url", url(gateway))
    assert done.code == 0
    assert "d3@E on edge-1" in done.stdout and "87.5 %  palace" in done.stdout
    lines = await asyncio.to_thread(
        invoke, "classify", PHOTOGRAPH, PHOTOGRAPH, "--json", TERCET_GATEWAY_URL=url(gateway)
    )
    found = [json.loads(line) for line in lines.stdout.splitlines()]
    assert [answer["option"] for answer in found] == ["d3@E", "d3@E"]
    assert gateway.requests[0].source == "tercet-classify"
    gateway.refusing("too-late", "no answer within 5000 ms")
    late = await asyncio.to_thread(invoke, "classify", PHOTOGRAPH, "--url", url(gateway))
    assert (late.code, late.stderr.strip()[-24:]) == (2, "no answer within 5000 ms")


async def test_classify_sends_a_token() -> None:
    from tercet.services.gateway.http.access_control import Tokens

    async with running_front(tokens=Tokens("set")) as gateway:
        place = ("--url", url(gateway))
        without = await asyncio.to_thread(invoke, "classify", PHOTOGRAPH, *place)
        assert without.code == 2 and "a token is needed" in without.stderr
        given = {"TERCET_GATEWAY_TOKEN": "set"}
        done = await asyncio.to_thread(invoke, "classify", PHOTOGRAPH, *place, **given)
        assert done.code == 0


def test_classify_locally_and_what_it_refuses(models: Path, tmp_path: Path) -> None:
    place = ("--models", str(models))
    done = invoke("classify", PHOTOGRAPH, "--local", "d3", *place, "--json")
    assert (done.code, json.loads(done.stdout)["option"]) == (0, "d3@L")
    (tmp_path / "text.jpg").write_text("none")
    for arguments, word in (
        (("missing.jpg", "--local", "d3"), "missing.jpg: no such file"),
        ((str(tmp_path / "text.jpg"), "--local", "d3"), "text.jpg: not a usable picture"),
        ((PHOTOGRAPH, "--local", "d9"), "unknown variant 'd9'"),
        ((PHOTOGRAPH, "--url", "127.0.0.1:9"), "no address of a gateway"),
        ((PHOTOGRAPH, "--url", "http://127.0.0.1:9"), "no gateway answers"),
    ):
        refused = invoke("classify", *arguments, *(place if "--local" in arguments else ()))
        assert (refused.code, refused.stdout) == (2, "")
        assert word in refused.stderr.strip().splitlines()[-1]
