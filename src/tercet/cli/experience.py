"""`tercet experience export`: real experience as a Parquet file, one row per device and round."""

from __future__ import annotations

import asyncio
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
from tercet.schemas.experience import Experience
from tercet.schemas.fleet import Condition

EPILOG = (
    "Examples: [bold]tercet experience export --parquet run.parquet[/]; "
    "[bold]tercet experience export --parquet hour.parquet --since 1h --json[/]."
)

app = typer.Typer(
    help="Real experience, for analysis elsewhere.", no_args_is_help=True, epilog=EPILOG
)

COLUMNS = (
    ("round", "int64", "number of the round"),
    ("at", "timestamp", "when it was closed"),
    ("purpose", "string", "learn or evaluate"),
    ("policy", "string", "policy that chose the assignment"),
    ("policy_version", "int64", "version of its parameters; null before any"),
    ("goal", "string", "min, max or percent"),
    ("device", "string", ""),
    ("node", "string", "node that ran the request"),
    ("assigned", "string", "option decided"),
    ("executed", "string", "option that ran and was measured"),
    ("greedy", "string", "option without exploration; null in evaluation"),
    ("response_ms", "double", "of this device; null where only the mean is known"),
    ("censored", "bool", "response_ms is only a lower bound"),
    ("average_ms", "double", "over the round's devices"),
    ("accuracy_pct", "double", "over the round's devices"),
    ("cpu", "double", "of the device, used by others, 0..1, when the round opened"),
    ("memory", "double", "of the device, 0..1"),
    ("link_ms", "double", "of the device, round trip to the next tier"),
    ("weak", "bool", "whether that link counts as weak"),
    ("emulated", "bool", ""),
    ("simulated", "bool", "times are virtual"),
)
"""Name, type and meaning; the meaning is written to the file as the field's metadata."""


@app.command(epilog=EPILOG)
def export(
    parquet: Annotated[Path, typer.Option(help="File to write; one that exists is replaced.")],
    bus: Url = None,
    since: Annotated[str | None, typer.Option(help="Only the last 90s, 15m, 1h or 2d.")] = None,
    json: Json = False,
) -> None:
    """Write the experience of every round, one row per device and round."""
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
    """One row per active device."""
    shared = {
        name: getattr(message, name)
        for name in ("round", "at", "purpose", "policy", "policy_version", "goal")
    } | {
        name: getattr(message, name)
        for name in ("average_ms", "accuracy_pct", "emulated", "simulated")
    }
    for device in message.active:
        condition = message.state.get(device, Condition())
        yield {
            **shared,
            "device": device,
            "node": message.fleet.node(device, message.executed[device]),
            "assigned": message.assigned.get(device),
            "executed": message.executed[device],
            "greedy": message.greedy.get(device),
            "response_ms": message.response_ms.get(device),
            "censored": device in message.censored,
            **{name: getattr(condition, name) for name in ("cpu", "memory", "link_ms", "weak")},
        }


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
