"""Shared by the verbs of `tercet models`: options, progress on stderr, tables, JSON."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer
from rich.console import Console

from tercet.cli import output as printing
from tercet.cli.input_checks import as_usage_errors
from tercet.models import families
from tercet.models.manifest import Manifest, default_directory

if TYPE_CHECKING:
    from tercet.models.calibration import QuantisationFidelity

Models = Annotated[
    Path | None,
    typer.Option(
        "--models", envvar="TERCET_MODELS", help="Model directory; without it: the cache."
    ),
]
Family = Annotated[
    str | None,
    typer.Option(help="A family of the model directory; without it: the directory's own."),
]
AsJson = printing.Json
Progress = Callable[[str, str], None]


def directory(models: Path | None, family: str | None = None) -> Path:
    """The model directory given, or the default one; of a family in it, which may be a new one."""
    root = models or default_directory()
    if family is None:
        return root
    with as_usage_errors():
        return families.directory(root, family)


def present(models: Path | None, family: str | None = None) -> Path:
    """The directory of a family that is there: named, the root's own, or the only one."""
    with as_usage_errors():
        return families.only(models or default_directory(), family)


@contextmanager
def working(what: str, every: int = 1) -> Iterator[Progress]:
    """Report errors in one line; inside, `progress(item, stage)` shows progress on stderr.

    Without a terminal each stage is a line; of stages that end in a count `a/b` only every
    `every`-th.
    """
    console = Console(stderr=True)
    with as_usage_errors(), console.status(what) as status:

        def progress(item: str, stage: str) -> None:
            if console.is_terminal:
                status.update(f"{what}: {item} {stage}")
            elif not _is_skipped(stage, every):
                console.print(f"{what}: {item} {stage}", highlight=False, soft_wrap=True)

        yield progress


def _is_skipped(stage: str, every: int) -> bool:
    done, slash, total = stage.rpartition(" ")[2].partition("/")
    return bool(slash and done.isdigit() and done != total and int(done) % every)


def skipped(files: Sequence[tuple[str, str]]) -> None:
    """Name the pictures that could not be used, on stderr."""
    for name, reason in files:
        print(f"skipped picture {name}: {reason}", file=sys.stderr)


class Listing(NamedTuple):
    """A table: title, columns and rows."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]


def show(wants_json: bool, found: Mapping[str, object], listing: Listing, *notes: str) -> None:
    """JSON for programs; a table and a few lines for people."""
    if wants_json:
        printing.as_json(found)
        return
    printing.show(*listing)
    for note in notes:
        print(printing.clean(note))


def described(manifest: Manifest) -> dict[str, object]:
    """The manifest for programs."""
    return {"directory": str(manifest.directory), **manifest.model_dump(mode="json")}


def overview(manifest: Manifest) -> Listing:
    """One row per variant: size, precision and accuracy."""
    columns = (
        "variant",
        "precision",
        "M MACs",
        "MB",
        "px",
        "accuracy %",
        "metric",
        "source",
        "weights",
    )
    rows = [
        (
            name, entry.precision, printing.number(entry.million_macs), f"{entry.bytes / 1e6:.1f}",
            entry.input_px, entry.accuracy_pct, entry.metric or "", entry.accuracy_source,
            entry.weights,
        )
        for name, entry in manifest.variants.items()
    ]  # fmt: skip
    return Listing("variants", columns, rows)


def scores(manifest: Manifest) -> Listing:
    """One row per variant that was measured: top-1, top-5 and their 95 % intervals."""
    shares = ("top-1 %", "95 % interval", "top-5 %", "95 % interval")
    measured = [(n, e.precision, e.measured) for n, e in manifest.variants.items() if e.measured]
    rows = [
        (
            name, precision, f"{m.top1_pct:.1f}", _interval(m.top1_interval),
            f"{m.top5_pct:.1f}", _interval(m.top5_interval), m.pictures,
        )
        for name, precision, m in measured
    ]  # fmt: skip
    return Listing("measured", ("variant", "precision", *shares, "pictures"), rows)


def precisions(manifest: Manifest) -> Listing:
    """One row per detector that was measured: its mean average precision."""
    columns = ("variant", "precision", "px", "mAP@0.5 %", "mAP@0.5:0.95 %", "objects", "pictures")
    measured = [(n, e, e.measured_map) for n, e in manifest.variants.items() if e.measured_map]
    rows = [
        (
            name, entry.precision, entry.input_px, f"{m.map50_pct:.1f}", f"{m.map_pct:.1f}",
            m.objects, m.pictures,
        )
        for name, entry, m in measured
    ]  # fmt: skip
    return Listing("measured", columns, rows)


def _interval(bounds: tuple[float, float]) -> str:
    return f"{bounds[0]:.1f} to {bounds[1]:.1f}"


def comparisons(found: Mapping[str, QuantisationFidelity]) -> Listing:
    """One row per 8-bit form, compared with its float form."""
    columns = ("8-bit form", "same top class %", "signal to noise dB", "pictures", "calibrated on")
    rows = [
        (name, like.top1_agreement_pct, like.snr_db, like.pictures, like.calibrated_on)
        for name, like in found.items()
    ]
    return Listing("8-bit forms beside their float forms", columns, rows)
