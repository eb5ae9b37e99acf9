"""`tercet models add`: any ONNX model as a variant of a family."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, cast

import typer

from tercet.cli.models import add_detector
from tercet.cli.models.add_tensors import add_tensors
from tercet.cli.models.common import (
    AsJson,
    Family,
    Models,
    described,
    directory,
    overview,
    show,
    working,
)
from tercet.cli.usage_error import UsageError
from tercet.models.normalisation import BY_NAME, Normalisation, NormalisationName, PixelScaling
from tercet.models.tensor_form import Layout, TensorForm

EPILOG = (
    "Examples: [bold]tercet models add model.onnx --family doors --variant small"
    ' --labels labels.txt --accuracy 84.9 --metric top-1 --source "our test set of May"[/]; pixels'
    " as (x - 127) / 128 at 240 pixels, scores in one of several outputs: [bold]--mean 127"
    " --scale 128 --px 240 --output-name scores[/]; a mean for each colour: [bold]--mean"
    " 123.7,116.3,103.5 --scale 58.4,57.1,57.4[/]; channels last, and a sigmoid in a custom"
    " operator: [bold]--layout nhwc --output probabilities[/]"
)
COLOURS = 3


def add(
    file: Annotated[
        Path,
        typer.Argument(help="ONNX: float or uint8 [N, 3, S, S] or [N, S, S, 3], to [N, classes]."),
    ],
    variant: Annotated[str, typer.Option(help="Its name; one of the name is replaced.")],
    accuracy: Annotated[float, typer.Option(help="Percent, from your own measurement.")],
    source: Annotated[str, typer.Option(help="Source of the accuracy, as text.")],
    labels: Annotated[
        Path | None,
        typer.Option(help="Names of the classes, a line each; needed but for --task tensors."),
    ] = None,
    metric: Annotated[
        str | None,
        typer.Option(help="What the accuracy counts: top-1, top-5, mAP@0.5, mAP@0.5:0.95."),
    ] = None,
    task: Annotated[
        str, typer.Option(help="classification, detection or tensors.")
    ] = "classification",
    normalise: Annotated[
        str | None,
        typer.Option(
            help="Of pixels: symmetric (-1 to 1; the default for float input), unit (0 to 1),"
            " imagenet (mean, std), raw (0 to 255; what uint8 input takes)."
        ),
    ] = None,
    mean: Annotated[
        str | None,
        typer.Option(help="Subtracted from pixels 0 to 255: a number, or one per colour, R,G,B."),
    ] = None,
    scale: Annotated[
        str | None, typer.Option(help="Divisor after --mean: a number, or one per colour, R,G,B.")
    ] = None,
    layout: Annotated[
        str | None, typer.Option(help="nchw or nhwc, where the file leaves the channels open.")
    ] = None,
    px: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Input size where the file leaves it open; without it 224, of detectors 640.",
        ),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option(help="logits or probabilities; without it: recognised, or asked for."),
    ] = None,
    output_name: Annotated[
        str | None, typer.Option(help="Which output holds the scores, if there are several.")
    ] = None,
    detection: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUE",
            help="What a detector's outputs mean, where it is asked for; docs/models.md has the"
            " keys.",
        ),
    ] = None,
    family: Family = None,
    models: Models = None,
    as_json: AsJson = False,
) -> None:
    """Add your own ONNX classifier, detector or other model, after checks and a run on pictures."""
    _one_of("--task", task, ("classification", "detection", "tensors"))
    kind = _one_of("--output", output, ("logits", "probabilities"))
    order = _one_of("--layout", layout and layout.lower(), ("nchw", "nhwc"))
    form = TensorForm(cast("Layout | None", order and order.upper()), None, px, output_name)
    if not source.strip():
        raise UsageError("--source: name the source of the accuracy")
    pixels = _normalisation(normalise, mean, scale)
    if task == "tensors":
        if labels or pixels or order or output or output_name or metric or detection:
            raise UsageError("--task tensors: of the other options --accuracy, --source and --px")
        manifest, read = add_tensors(variant, file, directory(models, family), accuracy, source, px)
        show(as_json, described(manifest), overview(manifest), f"{variant}: {read}")
        return
    if labels is None:
        raise UsageError("--labels: the names of the classes are needed")
    if task == "detection":
        if output is not None:
            raise UsageError("--output is for classifiers: say --detection score_kind=…")
        manifest, read = add_detector.added(
            variant, file, directory(models, family), labels=labels, accuracy=accuracy,
            source=source, metric=metric, pixels=pixels, form=form, statements=detection or (),
        )  # fmt: skip
        show(as_json, described(manifest), overview(manifest), f"{variant}: {read}")
        return
    if detection:
        raise UsageError("--detection is for detectors: say --task detection")
    counted = _one_of("--metric", metric, ("top-1", "top-5"))
    from tercet.models import onnx_import as work

    with working("adding") as progress:
        progress(variant, "check")
        description = work.ModelDescription(
            labels,
            accuracy,
            source,
            pixels,
            form,
            cast("Literal['logits', 'probabilities'] | None", kind),
            cast("Literal['top-1', 'top-5'] | None", counted),
        )
        manifest = work.import_classifier(variant, file, directory(models, family), description)
    read = work.summary(manifest.entry(variant))
    show(as_json, described(manifest), overview(manifest), f"{variant}: {read}")


def _one_of(option: str, given: str | None, known: tuple[str, ...]) -> str | None:
    if given is not None and given not in known:
        raise UsageError(f"{option} {given}: one of {', '.join(known)}")
    return given


def _normalisation(name: str | None, mean: str | None, scale: str | None) -> Normalisation | None:
    """The normalisation named, or the one given in numbers; None if neither is."""
    if mean is None and scale is None:
        return cast("NormalisationName | None", _one_of("--normalise", name, tuple(BY_NAME)))
    if name is not None or mean is None or scale is None:
        raise UsageError("give --mean and --scale together, or --normalise")
    subtracted, divisors = _colours("--mean", mean), _colours("--scale", scale)
    if min(divisors) < 1:
        raise UsageError(
            f"--scale {scale}: it divides pixels of 0 to 255, so 1 or more (multiply a mean and a"
            " deviation for pixels of 0 to 1 by 255)"
        )
    return PixelScaling(mean=subtracted, scale=divisors)


def _colours(option: str, text: str) -> tuple[float, float, float]:
    """Three numbers for red, green and blue, or one for all."""
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) == 1:
        numbers *= COLOURS
    if len(numbers) != COLOURS or not all(abs(number) <= 1e6 for number in numbers):
        raise UsageError(f"{option} {text}: a number, or three with commas between them: R,G,B")
    red, green, blue = numbers
    return red, green, blue
