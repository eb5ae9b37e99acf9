"""The tensors of an image classifier: layout, type and size of its input, and which output.

An ONNX file states most of it. What it leaves open (a dynamic size, several outputs) is stated by
the manifest, or by the user when a model is added.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from tercet.models.errors import ModelError
from tercet.models.variants import INPUT_PX

Layout = Literal["NCHW", "NHWC"]
InputType = Literal["float", "uint8"]
INPUT_TYPES: dict[str, InputType] = {"tensor(float)": "float", "tensor(uint8)": "uint8"}
OUTPUT_TYPES = ("tensor(float)", "tensor(double)", "tensor(float16)")
CHANNELS, COLOURS = {"NCHW": 1, "NHWC": 3}, 3
SIDES = {"NCHW": (2, 3), "NHWC": (1, 2)}
"""Dimensions of the height and the width."""


class Tensor(Protocol):
    """What onnxruntime states of an input or output; an open dimension is a name or None."""

    name: str
    type: str
    shape: list[int | str | None]


@dataclass(frozen=True, slots=True)
class TensorForm:
    """Statements about a model's tensors; None: as the file says."""

    layout: Layout | None = None
    input_type: InputType | None = None
    input_px: int | None = None
    output_name: str | None = None
    batches: bool = True
    """False: one picture per run, whatever the file says."""


@dataclass(frozen=True, slots=True)
class ModelInput:
    """The input of a model, as it will be fed."""

    name: str
    layout: Layout
    type: InputType
    px: int
    """Side of the square input, or the longer side, pixels."""
    size: tuple[int, int]
    """Width and height, pixels."""
    is_open: bool
    """The file takes other sizes, too."""
    can_batch: bool


def read_input(
    path: Path,
    inputs: Sequence[Tensor],
    stated: TensorForm,
    *,
    square: bool = True,
    usual_px: int = INPUT_PX,
) -> ModelInput:
    """The one input of the model; `ModelError` if it is no picture in colour, or not `square`.

    `usual_px` is the size where neither the file nor the user states one.
    """
    if len(inputs) != 1:
        names = ", ".join(one.name for one in inputs) or "none"
        raise ModelError(f"model file {path} must have one input, a picture; it has {names}")
    tensor, shape = inputs[0], _shape(inputs[0])
    kind = _input_type(path, tensor, stated)
    layout = _layout(path, tensor, stated)
    batch, sides = shape[0], [shape[axis] for axis in SIDES[layout]]
    if isinstance(batch, int) and batch > 1:
        raise ModelError(
            f"model file {path} takes {batch} pictures at once: export it with a dynamic batch or"
            " a batch of one"
        )
    fixed = {side for side in sides if isinstance(side, int) and side > 0}
    if square and len(fixed) > 1:
        raise _unfit(path, tensor)
    px = max(fixed, default=stated.input_px or usual_px)
    if stated.input_px not in (None, px):
        raise ModelError(
            f"model file {path}: input is fixed at {px} pixels, not {stated.input_px}:"
            " leave the size out, or export it with a dynamic height and width"
        )
    can_batch = not isinstance(batch, int) and stated.batches
    height, width = (side if isinstance(side, int) and side > 0 else px for side in sides)
    return ModelInput(tensor.name, layout, kind, px, (width, height), not fixed, can_batch)


def _input_type(path: Path, tensor: Tensor, stated: TensorForm) -> InputType:
    if tensor.type == "tensor(float16)":
        raise ModelError(
            f"model file {path}: input is float16: export it with float32 inputs (onnxconverter-"
            "common: convert_float_to_float16 with keep_io_types=True)"
        )
    if tensor.type not in INPUT_TYPES:
        raise _unfit(path, tensor)
    kind = INPUT_TYPES[tensor.type]
    if stated.input_type not in (None, kind):
        raise ModelError(f"model file {path}: input is {kind}, not {stated.input_type}")
    return kind


def _layout(path: Path, tensor: Tensor, stated: TensorForm) -> Layout:
    """The layout whose channels are three, or the stated one where the file leaves it open."""
    shape = _shape(tensor)
    if len(shape) != 4:
        raise _unfit(path, tensor)
    possible: list[Layout] = [
        name for name in ("NCHW", "NHWC") if _is_open(shape[CHANNELS[name]]) or _fits(shape, name)
    ]
    if not possible or (stated.layout and stated.layout not in possible):
        raise _unfit(path, tensor, stated.layout)
    certain = [name for name in possible if _fits(shape, name)]
    if stated.layout or certain or len(possible) == 1:
        return stated.layout or (certain or possible)[0]
    raise ModelError(
        f"model file {path}: input {shape} has open channels: say --layout nchw or nhwc"
    )


def _shape(tensor: Tensor) -> list[int | str | None]:
    """The declared shape; four open dimensions for a file that declares none."""
    return tensor.shape or [None] * 4


def _fits(shape: Sequence[int | str | None], layout: Layout) -> bool:
    return shape[CHANNELS[layout]] == COLOURS


def _is_open(size: int | str | None) -> bool:
    return not isinstance(size, int) or size <= 0


def _unfit(path: Path, tensor: Tensor, layout: str | None = None) -> ModelError:
    return ModelError(
        f"model file {path}: input must be float or uint8, [N, 3, S, S] or [N, S, S, 3],"
        f" not {tensor.type} {tensor.shape}" + f" as {layout}" * bool(layout)
    )


def read_output(path: Path, outputs: Sequence[Tensor], stated: TensorForm) -> Tensor:
    """The output that holds the scores; `ModelError` if it must be named, or holds none."""
    found = {output.name: output for output in outputs}
    listed = ", ".join(f"{name} {output.shape}" for name, output in found.items())
    if stated.output_name is None and len(found) != 1:
        raise ModelError(
            f"model file {path} has {len(found)} outputs: name the one that holds the scores"
            f" (--output-name): {listed}"
        )
    name = stated.output_name or next(iter(found))
    if name not in found:
        raise ModelError(f"model file {path} has no output {name!r}: it has {listed}")
    if found[name].type not in OUTPUT_TYPES:
        raise ModelError(
            f"model file {path}: output {name} is {found[name].type}: export the scores as float,"
            " before ArgMax and after DequantizeLinear"
        )
    return found[name]


def declared_classes(path: Path, output: Tensor) -> int | None:
    """Number of scores of one picture; None where the file does not state it."""
    sizes = [size for size in output.shape[1:] if size != 1]
    if len(sizes) > 1:
        raise unfit_output(path, output.shape)
    if len(output.shape) < 2 or any(_is_open(size) for size in sizes):
        return None
    return int(sizes[0] or 1) if sizes else 1


def unfit_output(path: Path, shape: Sequence[object]) -> ModelError:
    """The error for an output that is no row of scores for each picture."""
    return ModelError(
        f"model file {path}: output must be [N, classes] or [N, classes, 1, 1], not {list(shape)}"
        " (add a detector with --task detection)"
    )
