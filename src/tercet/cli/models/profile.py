"""`tercet models profile`: how fast each variant is on this node, and which are dominated."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from tercet.cli.models.common import AsJson, Family, Listing, Models, present, show, working
from tercet.models import profiling

EPILOG = "Example: [bold]tercet models profile --threads 4 --json[/]. Best on a quiet host."


def profile(
    variant: Annotated[list[str] | None, typer.Option(help="Which; without it: all.")] = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="N; without it: as many as there are cores.")
    ] = None,
    repeats: Annotated[int, typer.Option(min=2, help="Timed runs of each.")] = 30,
    family: Family = None,
    models: Models = None,
    as_json: AsJson = False,
) -> None:
    """Median and p95 at 1 and N threads, memory, cold start, and which variants are dominated."""
    with working("profiling") as progress:
        found = profiling.profile(present(models, family), variant, threads, repeats, progress)
    times = ("median 1", "p95 1", "median N", "p95 N", "cold start")
    columns = ("variant", *(f"{t} ms" for t in times), "memory MB", "accuracy %", "dominated by")
    rows = []
    for name, profiled in found.items():
        s = profiled.speed
        measured = (s.median_1_ms, s.p95_1_ms, s.median_n_ms, s.p95_n_ms, s.cold_ms, s.memory_mb)
        facts = (f"{profiled.accuracy_pct:.2f}", profiled.dominated_by or "")
        rows.append((name, *(f"{value:.1f}" for value in measured), *facts))
    listing = Listing("on this node, with 1 and N threads", columns, rows)
    threads_used = next(iter(found.values())).speed.threads if found else 0
    note = f"N = {threads_used}; decoding a photograph is not in the times"
    show(as_json, {name: asdict(profiled) for name, profiled in found.items()}, listing, note)
