"""`tercet classify --local`: a variant run in this process, answered as a gateway would."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tercet.cli import input_checks
from tercet.cli.usage_error import UsageError
from tercet.models import images
from tercet.models.classifier import ClassifiedPicture, Classifier
from tercet.models.errors import InputError


def answers(
    pictures: Iterable[tuple[Path, bytes]], variant: str, models: Path | None
) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Classify each picture; raises UsageError for a variant or a picture that cannot be used."""
    with input_checks.as_usage_errors():
        classifier = Classifier(models, preload=[variant])
    if classifier.library.of(variant).untrained:
        print("Weights: seeded, untrained. Labels have no meaning.", file=sys.stderr)
    for path, content in pictures:
        started = time.perf_counter()
        try:
            sent = images.sendable(content)
            found = classifier.classify(sent, variant)
            size = found.picture if sent is content else images.upright_size(content)
        except InputError as error:
            raise UsageError(f"{path}: {error}") from error
        yield (
            path,
            {
                "option": f"{variant}@L",
                "node": None,
                "labels": [{"name": name, "probability": p} for name, p in found.labels],
                **_boxes(found, size),
                "parts": {"compute_ms": round(found.compute_ms, 3)},
                "total_ms": round((time.perf_counter() - started) * 1000, 3),
            },
        )


def _boxes(found: ClassifiedPicture, size: tuple[int, int] | None) -> dict[str, object]:
    """The objects that a detector found, in pixels of a picture of this size."""
    if found.picture is None or size is None:
        return {}
    x, y = size[0] / found.picture[0], size[1] / found.picture[1]
    listed = [
        {
            "name": box.name,
            "probability": box.probability,
            **{"x_min": box.x_min * x, "y_min": box.y_min * y},
            **{"x_max": box.x_max * x, "y_max": box.y_max * y},
        }
        for box in found.boxes
    ]
    return {"boxes": listed, "picture": {"width": size[0], "height": size[1]}}
