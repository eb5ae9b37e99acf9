"""Measure top-1 and top-5 on labelled pictures, with intervals, and write them to the manifest.

Pictures are decoded as in the inference service. The measured share becomes the variant's accuracy,
which the orchestrator uses for its decisions.
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
from tercet.models.normalisation import Normalisation
from tercet.models.session import Session

Metric = Literal["top1", "top5"]
TOP5_MIN_CLASSES = 100
"""Least number of classes for top-5 as the accuracy; with ten classes top-5 saturates."""
TOP_K = 5
NORMAL_95 = 1.959964
"""Standard deviations of a normal distribution's central 95 %."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Scores of the variants on a labelled folder."""

    measured: Mapping[str, Measured]
    """By variant."""
    metric: Metric
    """Which share became the accuracy."""
    skipped: Sequence[tuple[str, str]]
    """Files that were no usable picture, and the reason; they are not counted."""


def wilson(hits: int, total: int) -> tuple[float, float]:
    """95 % score interval of a share, percent (Wilson, 1927): valid also near 0 and 1."""
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
) -> Evaluation:
    """Score variants (default: all) on the folder `data`, and write the scores to the manifest.

    `metric` is the one that becomes the accuracy (default: top-5 from a hundred classes on, else
    top-1). `progress` is called with the pictures done and the total. Raises `AssetError` naming
    file, folder or variant.
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
    name = data.resolve().name or str(data)
    measured = {n: measure(hits, name, len(manifest.labels(n))) for n, hits in scored.items()}
    metric = metric or default_metric(min(m.classes for m in measured.values()))
    model_directory.update_entries(
        manifest, {name: entry_update(m, metric) for name, m in measured.items()}
    )
    return Evaluation(measured, metric, skipped)


def default_metric(classes: int) -> Metric:
    """The informative metric for this number of classes."""
    return "top5" if classes >= TOP5_MIN_CLASSES else "top1"


def entry_update(measured: Measured, metric: Metric) -> dict[str, object]:
    """Fields of the manifest entry that a measurement changes."""
    share = measured.top1_pct if metric == "top1" else measured.top5_pct
    low, high = measured.top1_interval if metric == "top1" else measured.top5_interval
    return {
        "measured": measured,
        "accuracy_pct": share,
        "metric": f"top-{metric[-1]}",
        "accuracy_source": f"measured: top-{metric[-1]} on {measured.pictures} pictures of"
        f" {measured.data}, 95 % interval {low:.1f} to {high:.1f}",
    }


def measure(ranks: NDArray[np.int64], data: str, classes: int) -> Measured:
    """Shares and intervals from each picture's rank of the true class, [N], 0 is best."""
    total, top1, top5 = len(ranks), int((ranks < 1).sum()), int((ranks < TOP_K).sum())
    return Measured(
        data=data,
        pictures=total,
        classes=classes,
        top1_pct=round(100 * top1 / total, 2),
        top1_interval=wilson(top1, total),
        top5_pct=round(100 * top5 / total, 2),
        top5_interval=wilson(top5, total),
    )


Models = Mapping[str, tuple[Path, Entry]]


def score(
    models: Models,
    names: Mapping[str, tuple[str, ...]],
    samples: Sequence[Sample],
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> tuple[dict[str, NDArray[np.int64]], list[tuple[str, str]]]:
    """Ranks of the true class by variant, [N] each, and the skipped pictures with the reason."""
    sessions = {name: Session(path, form=entry.form) for name, (path, entry) in models.items()}
    truth = {name: _class_indices(samples, names[name], name) for name in models}

    def rank(sample: Sample) -> dict[str, int]:
        content = images.picture(sample.path).jpeg

        @cache
        def pixels(side: int, normalisation: Normalisation) -> NDArray[np.float32]:
            return images.decode(content, side, normalisation)

        ranks_of_sample = {}
        for name, (_, entry) in models.items():
            logits = sessions[name].run(pixels(entry.input_px, entry.normalisation))[0]
            # Not `>`: a NaN score must never count as a hit.
            ranks_of_sample[name] = int((~(logits <= logits[truth[name][sample.folder]])).sum())
        return ranks_of_sample

    ranks: dict[str, list[int]] = {name: [] for name in models}
    skipped: list[tuple[str, str]] = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for done, (sample, result) in enumerate(_in_order(pool, rank, samples), start=1):
            progress(done, len(samples))
            if isinstance(result, dict):
                for name, position in result.items():
                    ranks[name].append(position)
            else:
                skipped.append((f"{sample.folder}/{sample.path.name}", str(result)))
    if len(skipped) == len(samples):
        raise ImageError(f"labelled folder: no usable picture ({skipped[0][0]}: {skipped[0][1]})")
    return {name: np.array(r, dtype=np.int64) for name, r in ranks.items()}, skipped


def _in_order(
    pool: ThreadPoolExecutor, rank: Callable[[Sample], dict[str, int]], samples: Sequence[Sample]
) -> Iterable[tuple[Sample, dict[str, int] | Exception]]:
    """Results in the order of `samples`; an unusable picture gives its error instead."""

    def safely(sample: Sample) -> dict[str, int] | Exception:
        try:
            return rank(sample)
        except ImageError as error:
            return error

    return zip(samples, pool.map(safely, samples), strict=True)


def _class_indices(samples: Sequence[Sample], names: Sequence[str], variant: str) -> dict[str, int]:
    """Output index of each folder's class; `ModelError` for a folder that is no class."""
    found = {}
    for folder in folders.classes(samples):
        index = labels.class_index(folder, names)
        if index is None:
            raise ModelError(
                f"folder {folder!r} is no class of {variant}: its {len(names)} labels are"
                f" {names[0]!r}, {names[1]!r}, …"
            )
        found[folder] = index
    return found
