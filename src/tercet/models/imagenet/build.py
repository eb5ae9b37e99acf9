"""Build one network: `python -m tercet.models.imagenet.build NAME DIRECTORY`.

Writes the float form and, if it agrees with it, the 8-bit form. `family` starts it as a separate
process, one per network. Reports on stdout as `tercet.models.build` does. The same weights, library
versions and kind of processor give the same bytes.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import sys
from pathlib import Path
from typing import TextIO

import numpy as np
import onnx

from tercet.models import augment, graph, imagenet_classes, images, labels, static_quantisation
from tercet.models.imagenet import agreement, export, weights
from tercet.models.imagenet.agreement import Agreement
from tercet.models.imagenet.variants import MIN_AGREEMENT, PUBLISHED, Published
from tercet.models.manifest import Entry

CALIBRATION = Path(__file__).parent / "pictures" / "calibrate"
VIEWS_PER_PICTURE = 4


def build(row: Published, directory: Path, output: TextIO) -> None:
    """Write the forms of a network into `directory` and report their manifest entries."""
    names = labels.write(directory, imagenet_classes.names())
    plain, small = (directory / f"{name}.onnx" for name in (row.name, row.int8_name))
    _report(output, row.name, stage="export")
    model = export.to_onnx(row.network, weights.read(row), row.input_px, row.name)
    plain.write_bytes(model.SerializeToString(deterministic=True))
    entry = _float_entry(row, plain, names)
    _report(output, row.name, entry=entry.model_dump())

    _report(output, row.int8_name, stage="quantise")
    static_quantisation.quantise_static(plain, _calibration(row), small, row.float_layers)
    _report(output, row.int8_name, stage="compare")
    views, pictures = agreement.crops(row.input_px, row.normalisation)
    exact, rounded = (agreement.best_classes(path, views) for path in (plain, small))
    found = agreement.agreement(exact == rounded, pictures)
    if found.share < MIN_AGREEMENT:
        _report(output, row.int8_name, stage=f"left out: agreement {found.share:.3f}")
        return
    _report(output, row.int8_name, entry=_int8_entry(row, small, entry, found).model_dump())


def _calibration(row: Published) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """Views [N, 3, S, S] of the photographs shipped and of the calibration pictures."""
    pictures = [p for folder in (None, CALIBRATION) for p in images.load_pictures(folder).pictures]
    count = VIEWS_PER_PICTURE * len(pictures)
    return augment.views(pictures, count, 0, row.input_px, row.normalisation)


def _float_entry(row: Published, path: Path, labels_file: str) -> Entry:
    return Entry(
        file=path.name,
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        bytes=path.stat().st_size,
        precision="fp32",
        million_macs=round(graph.multiply_accumulates(onnx.load(path)) / 1e6, 1),
        input_px=row.input_px,
        accuracy_pct=row.top1_pct,
        metric="top-1",
        accuracy_source=row.source,
        labels=labels_file,
        weights=Path(row.file).name,
        licence=row.licence,
        normalisation=row.normalisation,
    )


def _int8_entry(row: Published, path: Path, plain: Entry, found: Agreement) -> Entry:
    source = (
        f"{row.top1_pct} % of its float form, times {found.lower:.4f}: the lower 95 % bound of how"
        f" often both name the same class ({found.share:.4f} of {found.crops} crops of"
        f" {found.pictures} pictures); not measured on ImageNet"
    )
    changed = {
        "file": path.name,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "bytes": path.stat().st_size,
        "precision": "int8",
        "accuracy_pct": round(row.top1_pct * found.lower, 2),
        "accuracy_source": source,
        "weights": f"{plain.weights}, 8 bit",
    }
    return Entry.model_validate(plain.model_dump() | changed)


def _report(output: TextIO, variant: str, **facts: object) -> None:
    print(json.dumps({"variant": variant, **facts}), file=output, flush=True)


def main(arguments: list[str]) -> None:
    """Build. Prints of libraries go to stderr: stdout carries the reports only."""
    name, directory = arguments
    output = sys.stdout
    with contextlib.redirect_stdout(sys.stderr):
        build(PUBLISHED[name], Path(directory), output)


if __name__ == "__main__":
    main(sys.argv[1:])
