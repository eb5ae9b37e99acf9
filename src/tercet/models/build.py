"""Build one width, float and 8-bit, from a seed: `python -m tercet.models.build WIDTH DIRECTORY [SEED]`.

Runs as a process of its own, started by `tercet.models.model_directory`, so that whoever needs the models never loads
torch, and widths build in parallel. Says what it does as one JSON object a line on stdout: first
`{"variant", "stage"}`, at the end `{"variant", "entry"}` for the manifest. Same seed, same library
versions, same kind of processor: same bytes.
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
from tercet.models.variants import Variant, named

SEED = 0
VIEWS = 36
"""Views of the photographs for statistics and calibration."""
ACCURACY_SOURCE = (
    "published ImageNet top-5 of this architecture (paper, Table III);"
    " NOT of these weights, which are untrained"
)


def build(width: float, directory: Path, seed: int, say: TextIO) -> None:
    """Write both precisions of `width` into `directory` and say their manifest entries."""
    torch.set_num_threads(
        1
    )  # Sums in the same order, hence the same bytes; widths run in parallel.
    torch.use_deterministic_algorithms(True)
    plain, small = named(width, "fp32"), named(width, "int8")
    plain_path, small_path = (directory / f"{variant.name}.onnx" for variant in (plain, small))

    _say(say, plain, stage="weights")
    views = augment.views(images.load_pictures().pictures, VIEWS, seed)
    network = seeded_weights.seeded(width, seed, torch.from_numpy(views))
    _say(say, plain, stage="export")
    plain_path.write_bytes(graph.to_onnx(network).SerializeToString(deterministic=True))
    _say(say, plain, entry=entry(plain, plain_path).model_dump())

    _say(say, small, stage="quantise")
    quantise.quantise(plain_path, views, small_path)
    _say(say, small, entry=entry(small, small_path).model_dump())


def entry(variant: Variant, path: Path) -> Entry:
    """What the manifest says of a file that was just built."""
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
        accuracy_source=ACCURACY_SOURCE,
        labels=LABELS_FILE,
        weights=UNTRAINED,
    )


def _say(say: TextIO, variant: Variant, **facts: object) -> None:
    print(json.dumps({"variant": variant.name, **facts}), file=say, flush=True)


def main(arguments: list[str]) -> None:
    """Build; libraries that print do so on stderr, for stdout is for the lines above."""
    width, directory, *seed = arguments
    say = sys.stdout
    with contextlib.redirect_stdout(sys.stderr):
        build(float(width), Path(directory), int(seed[0]) if seed else SEED, say)


if __name__ == "__main__":
    main(sys.argv[1:])
