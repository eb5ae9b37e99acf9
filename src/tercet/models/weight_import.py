"""Published weights into a model directory, and the 8-bit forms of what is there.

Everything is checked before the directory is touched.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import onnx

from tercet.models import calibration, graph, labels, model_directory, published_weights, quantise
from tercet.models.calibration import Likeness
from tercet.models.errors import ModelError
from tercet.models.manifest import Entry, load
from tercet.models.variants import (
    CLASSES,
    MOBILENET_VARIANTS,
    Normalisation,
    Variant,
    named,
    small_form,
    variant,
)

Progress = Callable[[str, str], None]
"""Called with a variant and what is being done to it."""
NOT_MEASURED = (
    "published ImageNet top-5 of this architecture (paper, Table III); not measured for these"
    " weights: run `tercet models evaluate`"
)


def weights(
    files: Sequence[Path],
    directory: Path,
    pictures: Path | None = None,
    labels_file: Path | None = None,
    progress: Progress = lambda _variant, _stage: None,
    skip: calibration.Skip = calibration.silently,
) -> dict[str, Likeness]:
    """Import published weights: each file gives a float variant and its 8-bit form.

    `pictures` calibrate the 8-bit forms; `labels_file` names the classes (default: by number);
    `skip` is told of pictures that cannot be used.
    Returns how like the two forms are, by 8-bit variant. Raises `AssetError`.
    """
    names = labels.read(labels_file) if labels_file else None
    entries: dict[str, Entry] = {}
    likenesses: dict[str, Likeness] = {}
    views = calibration.gather(pictures, MOBILENET_VARIANTS["d0"].input_px, skip=skip)
    with model_directory.drafting(directory) as draft:
        for file in files:
            plain = _exported(file, draft, names, progress)
            if plain.row.name in entries:
                raise ModelError(f"weights file {file}: another file is of width {plain.row.width}")
            entries[plain.row.name] = plain.entry
            small = small_form(plain.row)
            progress(small.name, "quantise")
            entries[small.name], likenesses[small.name] = small_entry(
                draft / plain.entry.file, plain.entry, small, draft, views
            )
        model_directory.install(directory, draft, entries)
    return likenesses


@dataclass(frozen=True, slots=True)
class _Plain:
    row: Variant
    entry: Entry


def _exported(file: Path, draft: Path, names: Sequence[str] | None, progress: Progress) -> _Plain:
    network = published_weights.read(file)
    row, classes = named(network.width, "fp32"), network.head.out_features
    names = names or [f"class-{number}" for number in range(classes)]
    labels.agree(file, classes, names)
    progress(row.name, "export")
    path = draft / f"{row.name}.onnx"
    path.write_bytes(graph.to_onnx(network).SerializeToString(deterministic=True))
    whose = f"{published_weights.publisher(file)}: {file.name}"
    known = classes == CLASSES
    return _Plain(
        row,
        entry_of(
            path,
            width=row.width,
            precision="fp32",
            input_px=row.input_px,
            accuracy_pct=row.published_top5_pct if known else 0.0,
            accuracy_source=NOT_MEASURED if known else "unknown: run `tercet models evaluate`",
            labels=labels.write(draft, names),
            weights=whose,
        ),
    )


def entry_of(path: Path, **facts: object) -> Entry:
    """The manifest's entry for a model file: hash, size and work are taken from the file."""
    content = path.read_bytes()
    return Entry.model_validate(
        {
            "file": path.name,
            "sha256": hashlib.sha256(content).hexdigest(),
            "bytes": len(content),
            "million_macs": _million_macs(path),
            **facts,
        }
    )


def _million_macs(path: Path) -> float | None:
    """Counted from the graph; None where shapes are not known or nothing can be counted."""
    try:
        return round(graph.multiply_accumulates(onnx.load(path)) / 1e6, 1) or None
    except Exception:  # Someone else's graph: onnx raises many things, and none matters here.
        return None


def small_entry(
    plain: Path, entry: Entry, row: Variant, draft: Path, views: calibration.Calibration
) -> tuple[Entry, Likeness]:
    """Quantise a float model into `draft`; its entry, and how like the two are."""
    path = draft / f"{row.name}.onnx"
    quantise.quantise(plain, views.calibrate, path)
    like = calibration.likeness(plain, path, views)
    accuracy, source = entry.accuracy_pct, "its float form's; not measured for the 8-bit form"
    if entry.accuracy_source == NOT_MEASURED:
        accuracy, source = row.published_top5_pct, NOT_MEASURED
    changed = {
        "file": path.name,
        "precision": "int8",
        "million_macs": entry.million_macs,
        "accuracy_pct": accuracy,
        "accuracy_source": source,
        "measured": None,
        "weights": f"{entry.weights.removesuffix(', 8 bit')}, 8 bit",
    }
    fresh = entry.model_dump() | changed
    content = path.read_bytes()
    fresh |= {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    return Entry.model_validate(fresh), like


def quantised(
    directory: Path,
    pictures: Path | None = None,
    variants: Sequence[str] | None = None,
    progress: Progress = lambda _variant, _stage: None,
    skip: calibration.Skip = calibration.silently,
) -> dict[str, Likeness]:
    """Make the 8-bit forms of the float variants of a directory anew, calibrated on `pictures`.

    `variants` are names of either form (default: all); `skip` is told of pictures that cannot be
    used, once per form of input. Returns how like they are. Raises `AssetError`.
    """
    manifest = load(directory)
    widths = {variant(name).width for name in variants or manifest.variants}
    entries: dict[str, Entry] = {}
    likenesses: dict[str, Likeness] = {}
    gathered: dict[tuple[int, Normalisation], calibration.Calibration] = {}
    with model_directory.drafting(directory) as draft:
        for width in sorted(widths, reverse=True):
            plain, small = named(width, "fp32"), named(width, "int8")
            entry = manifest.entry(plain.name)
            progress(small.name, "quantise")
            key = (entry.input_px, entry.normalisation)
            if key not in gathered:
                gathered[key] = calibration.gather(pictures, *key, skip)
            entries[small.name], likenesses[small.name] = small_entry(
                manifest.path(plain.name), entry, small, draft, gathered[key]
            )
            labels.copy(directory, entry.labels, draft)
        model_directory.install(directory, draft, entries)
    return likenesses
