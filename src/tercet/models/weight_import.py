"""Import published weights into a model directory, and quantise the float variants in it.

All checks come before any change of the directory.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import onnx

from tercet.models import calibration, graph, labels, model_directory, published_weights, quantise
from tercet.models.calibration import QuantisationFidelity
from tercet.models.errors import ModelError
from tercet.models.manifest import PAPER_FAMILY, Entry, Manifest, load
from tercet.models.normalisation import Normalisation
from tercet.models.variants import (
    CLASSES,
    MOBILENET_VARIANTS,
    Variant,
    find_variant,
    int8_form,
    variant,
)

Progress = Callable[[str, str], None]
"""Called with a variant and the stage of its work."""
NOT_MEASURED = (
    "published ImageNet top-5 of this architecture (paper, Table III); not measured for these"
    " weights: run `tercet models evaluate`"
)


def import_weights(
    files: Sequence[Path],
    directory: Path,
    pictures: Path | None = None,
    labels_file: Path | None = None,
    progress: Progress = lambda _variant, _stage: None,
    on_skipped: calibration.OnSkipped = calibration.ignore_skipped,
) -> dict[str, QuantisationFidelity]:
    """Import published weights: each file gives a float variant and its 8-bit form.

    `pictures` calibrate the 8-bit forms. `labels_file` names the classes (default: numbered).
    `on_skipped` is called for unusable pictures. Returns the fidelity by 8-bit variant. Raises
    `AssetError`.
    """
    names = labels.read(labels_file) if labels_file else None
    entries: dict[str, Entry] = {}
    fidelities: dict[str, QuantisationFidelity] = {}
    views = calibration.collect(pictures, MOBILENET_VARIANTS["d0"].input_px, on_skipped=on_skipped)
    with model_directory.drafting(directory) as draft:
        for file in files:
            plain = _export(file, draft, names, progress)
            if plain.row.name in entries:
                raise ModelError(f"weights file {file}: another file is of width {plain.row.width}")
            entries[plain.row.name] = plain.entry
            small = int8_form(plain.row)
            progress(small.name, "quantise")
            entries[small.name], fidelities[small.name] = quantised_entry(
                draft / plain.entry.file, plain.entry, small.name, draft, views
            )
        model_directory.install(directory, draft, entries)
    return fidelities


@dataclass(frozen=True, slots=True)
class _FloatModel:
    row: Variant
    entry: Entry


def _export(
    file: Path, draft: Path, names: Sequence[str] | None, progress: Progress
) -> _FloatModel:
    network = published_weights.read(file)
    row, classes = find_variant(network.width, "fp32"), network.head.out_features
    names = names or [f"class-{number}" for number in range(classes)]
    labels.check_count(file, classes, names)
    progress(row.name, "export")
    path = draft / f"{row.name}.onnx"
    path.write_bytes(graph.to_onnx(network).SerializeToString(deterministic=True))
    origin = f"{published_weights.publisher(file)}: {file.name}"
    imagenet = classes == CLASSES
    return _FloatModel(
        row,
        model_entry(
            path,
            width=row.width,
            precision="fp32",
            input_px=row.input_px,
            accuracy_pct=row.published_top5_pct if imagenet else 0.0,
            metric="top-5" if imagenet else None,
            accuracy_source=NOT_MEASURED if imagenet else "unknown: run `tercet models evaluate`",
            labels=labels.write(draft, names),
            weights=origin,
        ),
    )


def model_entry(path: Path, **fields: object) -> Entry:
    """The manifest entry of a model file; hash, size and work are computed from the file."""
    content = path.read_bytes()
    return Entry.model_validate(
        {
            "file": path.name,
            "sha256": hashlib.sha256(content).hexdigest(),
            "bytes": len(content),
            "million_macs": _million_macs(path),
            **fields,
        }
    )


def _million_macs(path: Path) -> float | None:
    """Counted from the graph; None where shapes are unknown or nothing can be counted."""
    try:
        return round(graph.multiply_accumulates(onnx.load(path)) / 1e6, 1) or None
    except Exception:  # A foreign graph: onnx raises many classes, and none matters here.
        return None


def quantised_entry(
    plain: Path, entry: Entry, name: str, draft: Path, views: calibration.Calibration
) -> tuple[Entry, QuantisationFidelity]:
    """Quantise a float model into `draft` as variant `name`; return its entry and its fidelity."""
    path = draft / f"{name}.onnx"
    quantise.quantise(plain, views.calibrate, path, entry.form)
    fidelity = calibration.fidelity(plain, path, views, entry.form)
    accuracy, source = entry.accuracy_pct, "its float form's; not measured for the 8-bit form"
    if entry.accuracy_source == NOT_MEASURED:
        accuracy, source = variant(name).published_top5_pct, NOT_MEASURED
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
    return Entry.model_validate(fresh), fidelity


def _pairs(manifest: Manifest, names: Sequence[str] | None) -> dict[str, str]:
    """Float variant to the name of its 8-bit form, of those that are named by either."""
    found = {}
    for name, entry in manifest.variants.items():
        if entry.precision != "fp32":
            continue
        in_paper = manifest.name == PAPER_FAMILY and name in MOBILENET_VARIANTS
        found[name] = int8_form(variant(name)).name if in_paper else f"{name}-int8"
    known = {*found, *found.values()}
    for name in names or ():
        if name not in known:
            manifest.entry(name)  # Raises for one that is not there at all.
            raise ModelError(f"{name} is no float variant, and no 8-bit form of one")
    return {p: s for p, s in found.items() if names is None or p in names or s in names}


def quantise_variants(
    directory: Path,
    pictures: Path | None = None,
    variants: Sequence[str] | None = None,
    progress: Progress = lambda _variant, _stage: None,
    on_skipped: calibration.OnSkipped = calibration.ignore_skipped,
) -> dict[str, QuantisationFidelity]:
    """Quantise the float variants of a directory, calibrated on `pictures`.

    The 8-bit form of `name` is `name-int8`; in the paper's family it is the variant of the same
    width. `variants` are names of either form (default: all). `on_skipped` is called for unusable
    pictures, once per input size and normalisation. Returns the fidelity by 8-bit variant. Raises
    `AssetError`.
    """
    manifest = load(directory)
    if manifest.task != "classification":
        raise ModelError(
            f"{directory} is a family for {manifest.task}: quantise is for classifiers"
        )
    chosen = _pairs(manifest, variants)
    entries: dict[str, Entry] = {}
    fidelities: dict[str, QuantisationFidelity] = {}
    collected: dict[tuple[int, Normalisation], calibration.Calibration] = {}
    with model_directory.drafting(directory) as draft:
        for plain, small in chosen.items():
            entry = manifest.entry(plain)
            progress(small, "quantise")
            key = (entry.input_px, entry.normalisation)
            if key not in collected:
                collected[key] = calibration.collect(pictures, *key, on_skipped)
            entries[small], fidelities[small] = quantised_entry(
                manifest.path(plain), entry, small, draft, collected[key]
            )
            labels.copy(directory, entry.labels, draft)
        model_directory.install(directory, draft, entries)
    return fidelities
