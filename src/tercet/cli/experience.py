"""`tercet experience export`: real experience as a Parquet file, one row per device and window."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from tercet.cli.durations import seconds
from tercet.cli.output import Json, as_json
from tercet.cli.running_system import Url, bus_at
from tercet.cli.usage_error import UsageError
from tercet.messaging.stream_reader import first_sequence_since, replay
from tercet.schemas.experience_v2 import Experience
from tercet.schemas.fleet import Condition
from tercet.schemas.window import Requests

EPILOG = (
    "Examples: [bold]tercet experience export --parquet run.parquet[/]; "
    "[bold]tercet experience export --parquet hour.parquet --since 1h --json[/]."
)

app = typer.Typer(
    help="Real experience, for analysis elsewhere.", no_args_is_help=True, epilog=EPILOG
)

COLUMNS = (
    ("window", "int64", "number of the window; that of the round, if it was one"),
    ("at", "timestamp", "when it ended"),
    ("purpose", "string", "learn or evaluate"),
    ("policy", "string", "policy that chose the assignment"),
    ("policy_version", "int64", "version of its parameters; null before any"),
    ("goal", "string", "min, max or percent"),
    ("device", "string", ""),
    ("family", "string", "model family; empty where the device has one"),
    ("demand", "double", "requests per second; null in a round"),
    ("assigned", "string", "option decided"),
    ("executed", "string", "option at which most of its requests ran; null if it asked nothing"),
    ("node", "string", "node of that option"),
    ("greedy", "string", "option without exploration; null in evaluation"),
    ("requests", "int64", "how many; 0 if it asked nothing; null where only the mean is known"),
    ("in_time", "int64", "requests answered in time"),
    ("failed", "int64", "attempts that did not succeed"),
    ("response_ms", "double", "mean cost of a request of this device"),
    ("network_ms", "double", "part of it between the nodes; null where it is not known"),
    ("queue_ms", "double", "part of it before a worker took the request"),
    ("compute_ms", "double", "part of it in decoding and inference"),
    ("average_ms", "double", "mean cost over all requests of the window"),
    ("accuracy_pct", "double", "mean accuracy over all requests of the window"),
    ("cpu", "double", "of the device, used by others, 0..1, when the window began"),
    ("memory", "double", "of the device, 0..1"),
    ("link_ms", "double", "of the device, round trip to the next tier"),
    ("weak", "bool", "whether that link counts as weak"),
    ("backlog", "double", "of the device, requests that wait"),
    ("temperature", "double", "of the device, degrees Celsius; 0: unknown"),
    ("throttled", "double", "of the device, share of its speed lost to heat"),
    ("emulated", "bool", ""),
    ("simulated", "bool", "times are virtual"),
)
"""Name, type and meaning; the meaning is written to the file as the field's metadata."""
CONDITION = ("cpu", "memory", "link_ms", "weak", "backlog", "temperature", "throttled")
SHARED = (
    *("window", "at", "purpose", "policy", "policy_version", "goal"),
    *("average_ms", "accuracy_pct", "emulated", "simulated"),
)
"""Columns of all rows of a window."""


@app.command(epilog=EPILOG)
def export(
    parquet: Annotated[Path, typer.Option(help="File to write; one that exists is replaced.")],
    bus: Url = None,
    since: Annotated[str | None, typer.Option(help="Only the last 90s, 15m, 1h or 2d.")] = None,
    json: Json = False,
) -> None:
    """Write the experience of every round, one row per device and family."""
    arrow = _arrow()
    span = None if since is None else seconds(since)
    if not parquet.parent.is_dir():
        raise UsageError(f"{parquet}: there is no folder {parquet.parent}")
    found = asyncio.run(_read(bus, span))
    rows = [row for message in found for row in rows_of(message)]
    table = arrow.Table.from_pylist(rows, schema=_schema(arrow))
    _write(table, parquet)
    if json:
        as_json({"file": str(parquet), "rounds": len(found), "rows": len(rows)})
    else:
        print(f"{parquet}: {len(rows)} rows of {len(found)} rounds")


async def _read(url: str | None, span: float | None) -> list[Experience]:
    async with bus_at(url) as bus:
        start = 1
        if span is not None:
            moment = datetime.now(UTC) - timedelta(seconds=span)
            start = await first_sequence_since(bus, "EXPERIENCE", moment)
        return [message async for _, message in replay(bus, Experience, start=start)]


def rows_of(message: Experience) -> Iterator[dict[str, Any]]:
    """One row per active device and family."""
    shared = {name: getattr(message, name) for name in SHARED}
    requests = {r.row: r for r in message.requests}
    executed, response_ms = message.executed, message.response_ms
    failed = Counter[str]()
    for a in message.attempts:
        failed[a.row] += a.count if a.result != "ok" else 0
    for row in message.active:
        condition = message.state.get(row.device, Condition())
        made, ran = requests.get(row.row), executed.get(row.row)
        unknown = made is None and message.mean_ms is not None
        yield {
            **shared,
            **{name: getattr(row, name) for name in ("device", "family", "demand")},
            "assigned": row.assigned,
            "executed": ran,
            "node": None if ran is None else message.fleet.node(row.device, ran),
            "greedy": row.greedy,
            "requests": None if unknown else made.count if made else 0,
            "in_time": None if unknown else made.answered_in_time if made else 0,
            "failed": None if unknown else failed[row.row],
            "response_ms": response_ms.get(row.row),
            **_parts(made),
            **{name: getattr(condition, name) for name in CONDITION},
        }


def _parts(made: Requests | None) -> dict[str, float | None]:
    """Means of the parts; null where they are not known."""
    names, parts = ("network_ms", "queue_ms", "compute_ms"), None if made is None else made.parts
    return {name: None if parts is None else getattr(parts, name) / parts.count for name in names}


def _schema(arrow: Any) -> Any:
    kinds = {
        "int64": arrow.int64(),
        "double": arrow.float64(),
        "string": arrow.string(),
        "bool": arrow.bool_(),
        "timestamp": arrow.timestamp("us", tz="UTC"),
    }
    fields = [arrow.field(name, kinds[k], metadata={"meaning": text}) for name, k, text in COLUMNS]
    return arrow.schema(fields)


def _write(table: Any, file: Path) -> None:
    """Write to a temporary file, then rename it: a reader never sees a partial file."""
    from pyarrow import parquet

    draft = file.with_name(f".{file.name}.part")
    try:
        parquet.write_table(table, draft)
        draft.replace(file)
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror or error}") from error
    finally:
        draft.unlink(missing_ok=True)


def _arrow() -> Any:
    """The package pyarrow; raises UsageError when it is not installed."""
    try:
        import pyarrow
    except ModuleNotFoundError:
        raise UsageError("exporting needs its extra: pip install 'tercet[export]'") from None
    return pyarrow
