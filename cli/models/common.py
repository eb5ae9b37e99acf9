"""What the verbs of `tercet models` share: options, progress on stderr, tables, JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from cli.checks import complaining
from zoo.manifest import Manifest, default_directory

Models = Annotated[
    Path | None,
    typer.Option(
        "--models", envvar="TERCET_MODELS", help="Model directory; without it: the cache."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print a JSON object.")]
Tell = Callable[[str, str], None]


def directory(models: Path | None) -> Path:
    """The model directory that is meant."""
    return models or default_directory()


@contextmanager
def working(what: str, every: int = 1) -> Iterator[Tell]:
    """Complain in one line; meanwhile `tell(who, stage)` shows how far it is, on stderr.

    Without a terminal a line each, of those that end in a count `a/b` only each `every`-th.
    """
    console = Console(stderr=True)
    with complaining(), console.status(what) as status:

        def tell(who: str, stage: str) -> None:
            if console.is_terminal:
                status.update(f"{what}: {who} {stage}")
            elif not _between(stage, every):
                console.print(f"{what}: {who} {stage}", highlight=False, soft_wrap=True)

        yield tell


def _between(stage: str, every: int) -> bool:
    done, slash, total = stage.rpartition(" ")[2].partition("/")
    return bool(slash and done.isdigit() and done != total and int(done) % every)


def skipped(files: Sequence[tuple[str, str]]) -> None:
    """Name the pictures that could not be used, on stderr."""
    for name, reason in files:
        print(f"skipped picture {name}: {reason}", file=sys.stderr)


def show(as_json: bool, found: Mapping[str, object], table: Table, *notes: str) -> None:
    """JSON for programs; a table and a few lines for people."""
    if as_json:
        print(json.dumps(found))
        return
    console = Console()
    console.print(table)
    for note in notes:
        console.print(note, highlight=False, soft_wrap=True)


def described(manifest: Manifest) -> dict[str, object]:
    """The manifest for programs."""
    return {"directory": str(manifest.directory), **manifest.model_dump(mode="json")}


def overview(manifest: Manifest) -> Table:
    """One row per variant: what it is, and what it scores."""
    table = Table(
        "variant", "precision", "M MACs", "MB", "px", "accuracy", "whose figure", "weights"
    )
    for name, entry in manifest.variants.items():
        macs = "?" if entry.million_macs is None else f"{entry.million_macs:.1f}"
        size, accuracy = f"{entry.bytes / 1e6:.1f}", f"{entry.accuracy_pct:.2f} %"
        row = (name, entry.precision, macs, size, str(entry.input_px), accuracy)
        table.add_row(*row, entry.accuracy_source, entry.weights)
    return table


def scores(manifest: Manifest) -> Table:
    """One row per variant that was measured: top-1, top-5 and their 95 % intervals."""
    shares = ("top-1", "95 % interval", "top-5", "95 % interval")
    table = Table("variant", "precision", *shares, "pictures")
    for name, entry in manifest.variants.items():
        if (m := entry.measured) is None:
            continue
        intervals = [f"{low:.1f} to {high:.1f}" for low, high in (m.top1_interval, m.top5_interval)]
        table.add_row(
            name, entry.precision, f"{m.top1_pct:.1f} %", intervals[0],
            f"{m.top5_pct:.1f} %", intervals[1], str(m.pictures),
        )  # fmt: skip
    return table


def likenesses(found: Mapping[str, object]) -> Table:
    """One row per 8-bit form: how like its float form it is."""
    table = Table("8-bit form", "same top class", "signal to noise", "pictures", "calibrated on")
    for name, like in found.items():
        facts = vars_of(like)
        table.add_row(
            name, f"{facts['top1_agreement_pct']} %", f"{facts['snr_db']} dB",
            str(facts["pictures"]), str(facts["calibrated_on"]),
        )  # fmt: skip
    return table


def vars_of(like: object) -> dict[str, object]:
    """The fields of a frozen record."""
    return {name: getattr(like, name) for name in like.__slots__}  # type: ignore[attr-defined]
