"""`tercet models evaluate`: the accuracy of the variants on labelled pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, cast

import typer

from tercet.cli.input_checks import as_usage_errors
from tercet.cli.models.common import (
    AsJson,
    Family,
    Models,
    described,
    precisions,
    present,
    scores,
    show,
    skipped,
    working,
)
from tercet.cli.usage_error import UsageError
from tercet.models import evaluate as work
from tercet.models import manifest
from tercet.models.detection import evaluate as detectors
from tercet.models.detection.evaluate import Progress

EPILOG = (
    "Examples: [bold]tercet models evaluate --data ~/labelled[/], with one folder per class; of"
    " detectors [bold]tercet models evaluate --family yard --data ~/coco[/], with COCO's JSON."
    " Running services announce the measured figures at once."
)
CLASSIFICATION, DETECTION = ("top1", "top5"), ("mAP@0.5", "mAP@0.5:0.95")


def evaluate(
    data: Annotated[
        Path,
        typer.Option("--data", help="Labelled: a folder per class, or a COCO-style folder."),
    ],
    variant: Annotated[list[str] | None, typer.Option(help="Which; without it: all.")] = None,
    metric: Annotated[
        str | None,
        typer.Option(
            help="The accuracy: top1 or top5, without it top5 from 100 classes on; of detectors"
            " mAP@0.5 or mAP@0.5:0.95, which is taken without it."
        ),
    ] = None,
    family: Family = None,
    models: Models = None,
    as_json: AsJson = False,
) -> None:
    """Measure top-1 and top-5 with 95 % intervals, or mAP, and write them into the manifest."""
    if metric not in (None, *CLASSIFICATION, *DETECTION):
        raise UsageError(f"--metric {metric}: one of {', '.join((*CLASSIFICATION, *DETECTION))}")
    place = present(models, family)
    with as_usage_errors():
        task = manifest.read(place).task
    if task == "tensors":
        raise UsageError(f"{place} is a family for tensors: nobody knows what is right")
    known = CLASSIFICATION if task == "classification" else DETECTION
    if metric not in (None, *known):
        raise UsageError(f"--metric {metric}: of {task}, {known[0]} or {known[1]}")
    with working("evaluating", every=100) as progress:
        run = _classifiers if task == "classification" else _detectors
        counted, files = run(
            place, data, variant, metric, lambda done, total: progress("picture", f"{done}/{total}")
        )
    skipped(files)
    now = manifest.read(place)
    table = scores(now) if task == "classification" else precisions(now)
    note = f"Accuracy is {counted}; written to the manifest in {now.directory}"
    show(as_json, described(now), table, note)


def _classifiers(
    place: Path, data: Path, variants: list[str] | None, metric: str | None, progress: Progress
) -> tuple[str, Sequence[tuple[str, str]]]:
    found = work.evaluate(place, data, variants, cast(work.Metric | None, metric), progress)
    return f"top-{found.metric[-1]}", found.skipped


def _detectors(
    place: Path, data: Path, variants: list[str] | None, metric: str | None, progress: Progress
) -> tuple[str, Sequence[tuple[str, str]]]:
    found = detectors.evaluate(
        place, data, variants, cast(detectors.MapMetric | None, metric), progress
    )
    return found.metric, found.skipped
