"""`tercet topology`: print or declare the streams, durables and buckets."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Annotated

import typer

from tercet.cli.output import Json, as_json
from tercet.cli.output import show as table
from tercet.cli.running_system import Url, bus_at
from tercet.messaging import declare, topology
from tercet.process.settings import read

app = typer.Typer(
    help="Print or declare the streams and durable consumers.",
    no_args_is_help=True,
    epilog="Examples: [bold]tercet topology show[/]; [bold]tercet topology apply --bus URL[/].",
)


@app.command(epilog="Example: [bold]tercet topology show --json[/]")
def show(
    json: Json = False,
) -> None:
    """Print the streams, durables and buckets with their reasons; needs no broker."""
    settings = read(declare.TopologySettings)
    configs = declare.adjusted(settings)
    if json:
        described = {
            "streams": [
                {
                    "name": c.name,
                    "subjects": c.subjects,
                    "max_age_s": c.max_age,
                    "max_bytes": c.max_bytes,
                    "per_subject": c.max_msgs_per_subject,
                    "replicas": c.num_replicas,
                    "duplicates_s": c.duplicate_window,
                    "reason": c.description,
                }
                for c in configs
            ],
            "durables": [asdict(d) for d in topology.DURABLES.values()],
            "buckets": topology.BUCKETS,
        }
        as_json(described)
        return
    rows = []
    for c in configs:
        age = f"{c.max_age / 3600:g} h" if c.max_age else "unlimited"
        per = str(c.max_msgs_per_subject) if (c.max_msgs_per_subject or -1) > 0 else "all"
        size = f"{(c.max_bytes or 0) / topology.MIB:g}"
        rows.append((c.name, " ".join(c.subjects or []), age, size, per, c.description))
    table("streams", ("stream", "subjects", "age", "MiB", "per subject", "why"), rows)
    durables = [(d.name, d.stream, d.reason) for d in topology.DURABLES.values()]
    table("durables", ("durable", "stream", "why"), durables)


@app.command(epilog="Example: [bold]tercet topology apply --bus nats://10.0.0.7:4222[/]")
def apply(
    bus: Url = None,
    force: Annotated[
        bool, typer.Option("--force", help="Shrink a stream even if it drops messages.")
    ] = False,
    json: Json = False,
) -> None:
    """Declare them on a broker. Twice is harmless; a change that would lose data is refused."""
    changes = asyncio.run(_apply(bus, force))
    if json:
        as_json({"changes": changes})
    else:
        print("\n".join(changes) if changes else "nothing to change")


async def _apply(url: str | None, force: bool) -> list[str]:
    async with bus_at(url) as bus:
        return await declare.declare(bus.js, read(declare.TopologySettings), force=force)
