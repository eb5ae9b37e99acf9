"""`tercet models evaluate`: the accuracy of the variants on labelled pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, cast

import typer

from tercet.cli.models.common import (
    AsJson,
    Family,
    Models,
    described,
    directory,
    scores,
    show,
    skipped,
    working,
)
from tercet.cli.usage_error import UsageError
from tercet.models import evaluate as work
from tercet.models import manifest

EPILOG = (
    "Example: [bold]tercet models evaluate --data ~/labelled[/], with one folder per class. The"
    " orchestrator uses the measured figures after the services have been restarted."
)


def evaluate(
    data: Annotated[Path, typer.Option("--data", help="Labelled pictures: one folder per class.")],
    variant: Annotated[list[str] | None, typer.Option(help="Which; without it: all.")] = None,
    metric: Annotated[
        str | None,
        typer.Option(help="The accuracy: top1 or top5; without it: top5 from 100 classes on."),
    ] = None,
    family: Family = None,
    models: Models = None,
    as_json: AsJson = False,
) -> None:
    """Measure top-1 and top-5 with 95 % intervals, and write them into the manifest."""
    if metric not in (None, "top1", "top5"):
        raise UsageError(f"--metric {metric}: top1 or top5")
    with working("evaluating", every=100) as progress:
        found = work.evaluate(
            directory(models, family), data, variant, cast(work.Metric | None, metric),
            lambda done, total: progress("picture", f"{done}/{total}"),
        )  # fmt: skip
    skipped(found.skipped)
    now = manifest.read(directory(models, family))
    note = f"Accuracy is top-{found.metric[-1]}; written to the manifest in {now.directory}"
    show(as_json, described(now), scores(now), note)
