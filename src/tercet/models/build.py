"""Build one width from a seed: `python -m tercet.models.build WIDTH DIRECTORY [SEED]`.

Writes the float and the 8-bit model. `tercet.models.model_directory` starts it as a separate
process: its caller never imports torch, and widths build in parallel. Reports one JSON object per
line on stdout: `{"variant", "stage"}` on progress, `{"variant", "entry"}` with the manifest entry.
The same seed, library versions and kind of processor give the same bytes.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import sys
from pathlib import Path
from typing import TextIO

import onnx
import torch

from tercet.models import augment, graph, images, quantise, seeded_weights
from tercet.models.manifest import LABELS_FILE, UNTRAINED, Entry
from tercet.models.variants import Variant, find_variant

SEED = 0
VIEWS = 36
"""Number of views of the photographs for statistics and calibration."""
ACCURACY_SOURCE = (
    "published ImageNet top-5 of this architecture (paper, Table III);"
    " NOT of these weights, which are untrained"
)


def build(width: float, directory: Path, seed: int, output: TextIO) -> None:
    """Write both precisions of `width` into `directory` and report their manifest entries."""
    # One thread adds in a fixed order, hence the same bytes; widths run in parallel.
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    plain, small = find_variant(width, "fp32"), find_variant(width, "int8")
    plain_path, small_path = (directory / f"{variant.name}.onnx" for variant in (plain, small))

    _report(output, plain, stage="weights")
    views = augment.views(images.load_pictures().pictures, VIEWS, seed)
    network = seeded_weights.seeded(width, seed, torch.from_numpy(views))
    _report(output, plain, stage="export")
    plain_path.write_bytes(graph.to_onnx(network).SerializeToString(deterministic=True))
    _report(output, plain, entry=entry(plain, plain_path).model_dump())

    _report(output, small, stage="quantise")
    quantise.quantise(plain_path, views, small_path)
    _report(output, small, entry=entry(small, small_path).model_dump())


def entry(variant: Variant, path: Path) -> Entry:
    """The manifest entry of a model file that was just built."""
    content = path.read_bytes()
    return Entry(
        file=path.name,
        sha256=hashlib.sha256(content).hexdigest(),
        bytes=len(content),
        width=variant.width,
        precision=variant.precision,
        million_macs=round(graph.multiply_accumulates(onnx.load(path)) / 1e6, 1),
        input_px=variant.input_px,
        accuracy_pct=variant.published_top5_pct,
        metric="top-5",
        accuracy_source=ACCURACY_SOURCE,
        labels=LABELS_FILE,
        weights=UNTRAINED,
    )


def _report(output: TextIO, variant: Variant, **facts: object) -> None:
    print(json.dumps({"variant": variant.name, **facts}), file=output, flush=True)


def main(arguments: list[str]) -> None:
    """Build. Prints of libraries go to stderr: stdout carries the reports only."""
    width, directory, *seed = arguments
    output = sys.stdout
    with contextlib.redirect_stdout(sys.stderr):
        build(float(width), Path(directory), int(seed[0]) if seed else SEED, output)


if __name__ == "__main__":
    main(sys.argv[1:])
