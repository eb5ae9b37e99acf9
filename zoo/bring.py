"""The user's own weights into a model directory: published ones, or any ONNX classifier.

Everything is checked before the directory is touched: that the file is what it seems, that labels
and outputs agree in number, and that a photograph goes through.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx

from zoo import calibration, graph, images, labels, published, quantise, store
from zoo.calibration import Likeness
from zoo.errors import ModelError, one_line
from zoo.manifest import Entry, Manifest, load
from zoo.session import Session
from zoo.variants import (
    CLASSES,
    VARIANTS,
    Normalisation,
    Precision,
    Variant,
    named,
    small_form,
    variant,
)

Progress = Callable[[str, str], None]
"""Called with a variant and what is being done to it."""
OLDEST_OPSET = 7
"""Of ONNX' own operators: what onnxruntime still reads."""
NOT_MEASURED = (
    "published ImageNet top-5 of this architecture (paper, Table III); not measured for these"
    " weights: run `tercet models evaluate`"
)


@dataclass(frozen=True, slots=True)
class Facts:
    """What the user says of an ONNX file; the rest is read from it."""

    labels: Path
    accuracy_pct: float
    source: str
    normalisation: Normalisation = "symmetric"


def weights(
    files: Sequence[Path],
    directory: Path,
    pictures: Path | None = None,
    labels_file: Path | None = None,
    progress: Progress = lambda _variant, _stage: None,
) -> dict[str, Likeness]:
    """Import published weights: each file gives a float variant and its 8-bit form.

    `pictures` calibrate the 8-bit forms; `labels_file` names the classes (default: by number).
    Returns how like the two forms are, by 8-bit variant. Raises `ZooError`.
    """
    names = labels.read(labels_file) if labels_file else None
    entries: dict[str, Entry] = {}
    likenesses: dict[str, Likeness] = {}
    views = calibration.gather(pictures, VARIANTS["d0"].input_px)
    with store.drafting(directory) as draft:
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
        store.install(directory, draft, entries)
    return likenesses


@dataclass(frozen=True, slots=True)
class _Plain:
    row: Variant
    entry: Entry


def _exported(file: Path, draft: Path, names: Sequence[str] | None, progress: Progress) -> _Plain:
    network = published.read(file)
    row, classes = named(network.width, "fp32"), network.head.out_features
    names = names or [f"class-{number}" for number in range(classes)]
    _agree(file, classes, names)
    progress(row.name, "export")
    path = draft / f"{row.name}.onnx"
    path.write_bytes(graph.to_onnx(network).SerializeToString(deterministic=True))
    whose = f"{published.library(file)}: {file.name}"
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


def _agree(file: Path, classes: int, names: Sequence[str]) -> None:
    if len(names) != classes:
        raise ModelError(f"model file {file} has {classes} outputs, but {len(names)} labels")


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
) -> dict[str, Likeness]:
    """Make the 8-bit forms of the float variants of a directory anew, calibrated on `pictures`.

    `variants` are names of either form (default: all). Returns how like they are. Raises
    `ZooError`.
    """
    manifest = load(directory)
    widths = {variant(name).width for name in variants or manifest.variants}
    entries: dict[str, Entry] = {}
    likenesses: dict[str, Likeness] = {}
    gathered: dict[tuple[int, str], calibration.Calibration] = {}
    with store.drafting(directory) as draft:
        for width in sorted(widths, reverse=True):
            plain, small = named(width, "fp32"), named(width, "int8")
            entry = manifest.entry(plain.name)
            progress(small.name, "quantise")
            key = (entry.input_px, entry.normalisation)
            if key not in gathered:
                gathered[key] = calibration.gather(pictures, entry.input_px, entry.normalisation)
            entries[small.name], likenesses[small.name] = small_entry(
                manifest.path(plain.name), entry, small, draft, gathered[key]
            )
            labels.copy(directory, entry.labels, draft)
        store.install(directory, draft, entries)
    return likenesses


def classifier(name: str, file: Path, directory: Path, facts: Facts) -> Manifest:
    """Take any ONNX classifier as a variant. Raises `ModelError` that names what does not fit."""
    row, names = variant(name), labels.read(facts.labels)
    if not 0 <= facts.accuracy_pct <= 100:
        raise ModelError(f"accuracy must be 0..100 percent, not {facts.accuracy_pct}")
    model = _checked(file)
    with store.drafting(directory) as draft:
        path = draft / f"{name}.onnx"
        path.write_bytes(model.SerializeToString(deterministic=True))
        session = _tried(path, file, facts)
        _agree(file, session.classes, names)
        precision: Precision = "int8" if _is_quantised(model) else "fp32"
        if precision != row.precision:
            raise ModelError(
                f"model file {file} is {precision}, but {name} is the place of {row.precision}"
            )
        entry = entry_of(
            path,
            width=None,
            precision=precision,
            input_px=session.input_px,
            accuracy_pct=facts.accuracy_pct,
            accuracy_source=facts.source,
            labels=labels.write(draft, names),
            weights=f"brought by the user: {file.name}",
            normalisation=facts.normalisation,
            probabilities=_ends_in_softmax(model),
        )
        return store.install(directory, draft, {name: entry})


def _checked(file: Path) -> onnx.ModelProto:
    """The model, whole and with its weights inside; `ModelError` when it is not well formed."""
    if not file.is_file():
        raise ModelError(f"model file {file} is missing")
    try:
        model = onnx.load(file)  # With weights that lie in files beside it.
        onnx.checker.check_model(model)
    except Exception as error:  # protobuf's, onnx', and OSError.
        raise ModelError(f"model file {file} is no whole ONNX model: {one_line(error)}") from error
    opset = next((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), 0)
    newest = onnx.defs.onnx_opset_version()
    if not OLDEST_OPSET <= opset <= newest:
        raise ModelError(
            f"model file {file}: opset {opset} is not in {OLDEST_OPSET}..{newest}: export it anew"
        )
    return model


def _tried(path: Path, file: Path, facts: Facts) -> Session:
    """Run it on a photograph, in which an error names the user's file."""
    try:
        session = Session(path)
    except ModelError as error:
        raise ModelError(str(error).replace(str(path), str(file))) from None
    picture = min(images.PHOTOGRAPHS.glob("*.jpg")).read_bytes()
    try:
        scores = session.run(images.decode(picture, session.input_px, facts.normalisation))
    except Exception as error:  # onnxruntime's, one per status.
        raise ModelError(f"model file {file} does not run: {one_line(error)}") from error
    if scores.shape != (1, session.classes) or not np.isfinite(scores).all():
        raise ModelError(f"model file {file}: no finite scores [1, classes] for a photograph")
    return session


def _is_quantised(model: onnx.ModelProto) -> bool:
    return any("Quantize" in node.op_type or "Integer" in node.op_type for node in model.graph.node)


def _ends_in_softmax(model: onnx.ModelProto) -> bool:
    last = model.graph.output[0].name
    return any(n.op_type == "Softmax" and last in n.output for n in model.graph.node)
