"""Top-1 and top-5 on labelled pictures, per variant, with intervals; written into the manifest.

A picture is decoded just as the inference service does it. What a variant scored becomes its
accuracy, by which the orchestrator then decides.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tercet.models import folders, images, labels, model_directory
from tercet.models.errors import ImageError, ModelError
from tercet.models.folders import Sample
from tercet.models.manifest import Entry, Measured, load
from tercet.models.session import Session
from tercet.models.variants import Normalisation

Metric = Literal["top1", "top5"]
MANY_CLASSES = 100
"""From so many classes on, top-5 says something; of ten classes half are always among the five."""
DEEP = 5
NORMAL_95 = 1.959964
"""Standard deviations of a normal distribution's central 95 %."""


@dataclass(frozen=True, slots=True)
class Evaluated:
    """What came of a labelled folder."""

    measured: Mapping[str, Measured]
    """By variant."""
    metric: Metric
    """Which of the two became the accuracy."""
    skipped: Sequence[tuple[str, str]]
    """Files that were no usable picture, and why; they count for nothing."""


def wilson(hits: int, total: int) -> tuple[float, float]:
    """95 % score interval of a share, percent (Wilson, 1927): right also near 0 and 1."""
    share, square = hits / total, NORMAL_95**2
    middle = (share + square / (2 * total)) / (1 + square / total)
    half = NORMAL_95 / (1 + square / total)
    half *= math.sqrt(share * (1 - share) / total + square / (4 * total**2))
    return round(100 * max(0.0, middle - half), 2), round(100 * min(1.0, middle + half), 2)


def evaluate(
    directory: Path,
    data: Path,
    variants: Sequence[str] | None = None,
    metric: Metric | None = None,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Evaluated:
    """Score variants (default: all) on the folder `data`, and write that into the manifest.

    `metric` is what counts as accuracy (default: top-5 from a hundred classes on, else top-1).
    `progress` is told pictures done and in all. Raises `AssetError` naming file, folder or variant.
    """
    manifest = load(directory, variants)
    names = list(variants or manifest.variants)
    samples = folders.samples(data)
    scored, skipped = score(
        {name: (manifest.path(name), manifest.entry(name)) for name in names},
        {name: manifest.labels(name) for name in names},
        samples,
        progress,
    )
    where = data.resolve().name or str(data)
    measured = {n: measure(hits, where, len(manifest.labels(n))) for n, hits in scored.items()}
    metric = metric or metric_for(min(m.classes for m in measured.values()))
    model_directory.revise(manifest, {name: revision(m, metric) for name, m in measured.items()})
    return Evaluated(measured, metric, skipped)


def metric_for(classes: int) -> Metric:
    """What is worth knowing with so many classes."""
    return "top5" if classes >= MANY_CLASSES else "top1"


def revision(measured: Measured, metric: Metric) -> dict[str, object]:
    """What the manifest then says of a variant."""
    share = measured.top1_pct if metric == "top1" else measured.top5_pct
    low, high = measured.top1_interval if metric == "top1" else measured.top5_interval
    return {
        "measured": measured,
        "accuracy_pct": share,
        "accuracy_source": f"measured: top-{metric[-1]} on {measured.pictures} pictures of"
        f" {measured.data}, 95 % interval {low:.1f} to {high:.1f}",
    }


def measure(ranks: NDArray[np.int64], data: str, classes: int) -> Measured:
    """Shares and intervals from each picture's rank of the true class, [N], 0 is best."""
    total, first, five = len(ranks), int((ranks < 1).sum()), int((ranks < DEEP).sum())
    return Measured(
        data=data,
        pictures=total,
        classes=classes,
        top1_pct=round(100 * first / total, 2),
        top1_interval=wilson(first, total),
        top5_pct=round(100 * five / total, 2),
        top5_interval=wilson(five, total),
    )


Models = Mapping[str, tuple[Path, Entry]]


def score(
    models: Models,
    names: Mapping[str, tuple[str, ...]],
    samples: Sequence[Sample],
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> tuple[dict[str, NDArray[np.int64]], list[tuple[str, str]]]:
    """Ranks of the true class by variant, [N] each, and what was skipped with the reason."""
    sessions = {name: Session(path) for name, (path, _) in models.items()}
    truth = {name: _numbers(samples, names[name], name) for name in models}

    def one(sample: Sample) -> dict[str, int]:
        content = images.picture(sample.path).jpeg

        @cache
        def pixels(side: int, normalisation: Normalisation) -> NDArray[np.float32]:
            return images.decode(content, side, normalisation)

        found = {}
        for name, (_, entry) in models.items():
            logits = sessions[name].run(pixels(entry.input_px, entry.normalisation))[0]
            # Not `>`: a score that is no number must never count as a hit.
            found[name] = int((~(logits <= logits[truth[name][sample.folder]])).sum())
        return found

    ranks: dict[str, list[int]] = {name: [] for name in models}
    skipped: list[tuple[str, str]] = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for done, (sample, result) in enumerate(_each(pool, one, samples), start=1):
            progress(done, len(samples))
            if isinstance(result, dict):
                for name, rank in result.items():
                    ranks[name].append(rank)
            else:
                skipped.append((f"{sample.folder}/{sample.path.name}", str(result)))
    if len(skipped) == len(samples):
        raise ImageError(f"labelled folder: no usable picture ({skipped[0][0]}: {skipped[0][1]})")
    return {name: np.array(r, dtype=np.int64) for name, r in ranks.items()}, skipped


def _each(
    pool: ThreadPoolExecutor, one: Callable[[Sample], dict[str, int]], samples: Sequence[Sample]
) -> Iterable[tuple[Sample, dict[str, int] | Exception]]:
    """Results in order; a picture that cannot be used gives the reason instead."""

    def safely(sample: Sample) -> dict[str, int] | Exception:
        try:
            return one(sample)
        except ImageError as error:
            return error

    return zip(samples, pool.map(safely, samples), strict=True)


def _numbers(samples: Sequence[Sample], names: Sequence[str], variant: str) -> dict[str, int]:
    """Which output each folder stands for; `ModelError` for a folder that is no class."""
    found = {}
    for folder in folders.classes(samples):
        number = labels.number(folder, names)
        if number is None:
            raise ModelError(
                f"folder {folder!r} is no class of {variant}: its {len(names)} labels are"
                f" {names[0]!r}, {names[1]!r}, …"
            )
        found[folder] = number
    return found
