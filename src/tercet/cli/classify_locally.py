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
from tercet.models.classifier import Classifier
from tercet.models.errors import ImageError


def answers(
    pictures: Iterable[tuple[Path, bytes]], variant: str, models: Path | None
) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Classify each picture; raises UsageError for a variant or a picture that cannot be used."""
    with input_checks.as_usage_errors():
        classifier = Classifier(models, preload=[variant])
    if classifier.manifest.untrained:
        print("Weights: seeded, untrained. Labels have no meaning.", file=sys.stderr)
    for path, content in pictures:
        started = time.perf_counter()
        try:
            found = classifier.classify(images.sendable(content), variant)
        except ImageError as error:
            raise UsageError(f"{path}: {error}") from error
        yield (
            path,
            {
                "option": f"{variant}@L",
                "node": None,
                "labels": [{"name": name, "probability": p} for name, p in found.labels],
                "parts": {"compute_ms": round(found.compute_ms, 3)},
                "total_ms": round((time.perf_counter() - started) * 1000, 3),
            },
        )
