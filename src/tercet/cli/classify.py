"""`tercet classify`: pictures through a gateway, as any application; or in this process."""

from __future__ import annotations

import http.client
import json
import ssl
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote, urlsplit

import typer

from tercet.cli.output import Json, as_json, clean
from tercet.cli.usage_error import UsageError

EPILOG = (
    "Examples: [bold]tercet classify photo.jpg[/] asks the running system. "
    "[bold]tercet classify photo.jpg --url http://192.168.1.5:8100[/] asks another gateway. "
    "[bold]tercet classify photo.jpg --local d3[/] runs that variant here, without a system. "
    "[bold]tercet classify *.jpg --json[/] prints one JSON object a line."
)
DEFAULT_URL = "http://127.0.0.1:8100"
"""The gateway of device-1 in `docker compose up`."""
MARGIN_S = 5.0
"""Seconds beyond the deadline after which the gateway itself is given up."""


def classify(
    pictures: Annotated[list[Path], typer.Argument(help="Files: JPEG, PNG, WebP, BMP, GIF.")],
    url: Annotated[
        str | None,
        typer.Option(
            envvar="TERCET_GATEWAY_URL",
            help=f"Gateway; without it: device-1 of the running `up`, else {DEFAULT_URL}.",
        ),
    ] = None,
    local: Annotated[
        str | None,
        typer.Option(metavar="VARIANT", help="Run this variant in this process; no system needed."),
    ] = None,
    family: Annotated[
        str | None,
        typer.Option(help="The family that is to answer; without it the gateway's first."),
    ] = None,
    deadline: Annotated[
        float, typer.Option(min=1.0, max=60_000.0, help="Milliseconds in which to answer.")
    ] = 5_000.0,
    token: Annotated[
        str | None, typer.Option(envvar="TERCET_GATEWAY_TOKEN", help="Token of the gateway.")
    ] = None,
    models: Annotated[
        Path | None,
        typer.Option(envvar="TERCET_MODELS", help="Model directory, with --local."),
    ] = None,
    as_lines: Json = False,
) -> None:
    """Classify pictures through the running system, or in this process.

    A family of detectors finds objects in them.
    """
    contents = [(picture, read(picture)) for picture in pictures]
    if local is not None:
        from tercet.cli.classify_locally import answers
        from tercet.cli.input_checks import alone

        alone("--local", family=family)
        found = answers(contents, local, models)
    else:
        place = url or _running() or DEFAULT_URL
        found = ((path, ask(place, path, body, deadline, token, family)) for path, body in contents)
    for path, answer in found:
        if as_lines:
            as_json({"picture": str(path), **answer}, flush=True)
        else:
            show(path, answer)


def read(picture: Path) -> bytes:
    """The bytes of a file; raises UsageError, which names it."""
    try:
        if not picture.is_file():  # A pipe would block, a device file never end.
            raise UsageError(f"{picture}: no such file")
        return picture.read_bytes()
    except OSError as error:
        raise UsageError(f"{picture}: {error.strerror}") from error


def _running() -> str | None:
    from tercet.cli import running_system

    return running_system.gateway()


def ask(
    url: str,
    picture: Path,
    body: bytes,
    deadline_ms: float,
    token: str | None,
    family: str | None = None,
) -> dict[str, Any]:
    """The gateway's answer; raises UsageError with its reason, or that there is none."""
    if urlsplit(url).scheme not in ("http", "https"):
        raise UsageError(f"--url: {url!r} is no address of a gateway, as {DEFAULT_URL}")
    headers = {
        "Content-Type": "application/octet-stream",
        "X-Deadline-Ms": f"{deadline_ms:g}",
        "X-Source": "tercet-classify",
        **({"Authorization": f"Bearer {token}"} if token else {}),
    }
    query = f"?frame={quote(picture.name[:128])}"
    query += "" if family is None else f"&family={quote(family)}"
    request = urllib.request.Request(url.rstrip("/") + "/v1/infer" + query, body, headers)
    # No proxy: a gateway is on this host or on the local network.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    started = time.perf_counter()
    try:
        with opener.open(request, timeout=deadline_ms / 1000 + MARGIN_S) as response:
            answer: dict[str, Any] = json.loads(response.read())
    except urllib.error.HTTPError as error:
        raise UsageError(f"{picture}: {_reason(error)}") from error
    except (OSError, http.client.HTTPException, ssl.SSLError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise UsageError(f"no gateway answers at {url}: {clean(reason)}") from error
    return {**answer, "total_ms": round((time.perf_counter() - started) * 1000, 3)}


def _reason(error: urllib.error.HTTPError) -> str:
    """The gateway's one line, else the status."""
    try:
        return clean(json.loads(error.read())["error"], 300)
    except (ValueError, KeyError, TypeError, OSError):
        return f"{error.code} {clean(error.reason)}"


def show(picture: Path, answer: dict[str, Any]) -> None:
    """Print an answer for people: where from, how long, and the likeliest classes or objects."""
    parts = ", ".join(
        f"{name.removesuffix('_ms')} {ms:.1f}" for name, ms in answer["parts"].items()
    )
    total = answer["total_ms"]
    node = answer["node"]
    place = clean(f"{answer['option']} " + (f"on {node}" if node else "in this process"))
    print(f"{clean(picture)}: {place}, {total:.1f} ms ({parts})")
    for label in answer["labels"]:
        print(f"  {100 * label['probability']:5.1f} %  {clean(label['name'])}")
    for box in answer.get("boxes", ()):
        edges = [round(box[edge]) for edge in ("x_min", "y_min", "x_max", "y_max")]
        place = f"({edges[0]}, {edges[1]}) to ({edges[2]}, {edges[3]})"
        print(f"  {100 * box['probability']:5.1f} %  {clean(box['name'])}  {place}")
