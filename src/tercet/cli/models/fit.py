"""`tercet models fit`: all eight variants for the user's own classes, by one command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tercet.cli.models.common import (
    AsJson,
    Models,
    described,
    directory,
    scores,
    show,
    skipped,
    working,
)

EPILOG = (
    "Example: [bold]tercet models fit --data ~/parts --from mobilenet_1_0_224_tf.h5[/]. Stopped,"
    " the same command continues where it was."
)


def fit(
    data: Annotated[Path, typer.Option("--data", help="Labelled pictures: one folder per class.")],
    start: Annotated[
        list[Path] | None,
        typer.Option("--from", help="Published weights to start from, a file per width."),
    ] = None,
    px: Annotated[int, typer.Option(help="Side of the input, pixels.")] = 224,
    epochs: Annotated[int, typer.Option(help="Passes over the pictures, at most.")] = 40,
    patience: Annotated[int, typer.Option(help="Epochs without gain after which to stop.")] = 8,
    batch: Annotated[int, typer.Option(help="Pictures a step.")] = 64,
    flip: Annotated[bool, typer.Option(help="Mirror pictures; off for letters or digits.")] = True,
    seed: Annotated[int, typer.Option(min=0, help="Seed of all random numbers.")] = 0,
    models: Models = None,
    as_json: AsJson = False,
) -> None:
    """Train four widths, quantise them, measure all eight on held-out pictures, and install."""
    from pydantic import ValidationError

    from tercet.cli.usage_error import UsageError
    from tercet.models import fit as work
    from tercet.models.training_config import TrainingConfig

    with working("fitting", every=100) as progress:
        try:
            config = TrainingConfig(
                data=data.absolute(), input_px=px, epochs=epochs, patience=patience, batch=batch,
                flip=flip, seed=seed, start=work.start_files(start or []),
            )  # fmt: skip
        except ValidationError as error:
            first = error.errors()[0]
            option = {"input_px": "px"}.get(name := str(first["loc"][0]), name)
            raise UsageError(f"--{option}: {first['msg']}") from None
        found = work.fit(config, directory(models), progress)
    skipped(found.skipped)
    show(as_json, described(found.manifest), scores(found.manifest), str(directory(models)))
