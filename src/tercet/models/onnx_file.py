"""Read an ONNX file of the user completely: its weights in other files, its nodes in order.

onnxruntime is the judge of what is a valid model. Checked here is only what it would say unclearly.
"""

from __future__ import annotations

from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import onnx
from onnx import external_data_helper

from tercet.models.errors import ModelError, one_line

OLDEST_OPSET = 7
"""Oldest opset of the ONNX operators that onnxruntime reads."""
MAX_BYTES = 2**31 - 1
"""Size of a model with its weights in one file: protobuf's limit."""


def read(file: Path) -> onnx.ModelProto:
    """The model with its weights; `ModelError` names the file and what to do."""
    if not file.is_file():
        raise ModelError(f"model file {file} is {'not a file' if file.exists() else 'missing'}")
    try:
        model = onnx.load(file, load_external_data=False)
    except Exception as error:  # Of protobuf, onnx, or OSError.
        raise _incomplete(file, one_line(error)) from error
    if not model.graph.node:
        raise _incomplete(file, "it has no operators")
    _check_opset(file, model)
    _open_empty_dimensions(model)
    _load_weights(file, model)
    _sort(file, model)
    if model.ByteSize() > MAX_BYTES:
        raise ModelError(f"model file {file} has more than 2 GB of weights: export it in 8 bits")
    return model


def _incomplete(file: Path, reason: str) -> ModelError:
    return ModelError(f"model file {file} is not a complete ONNX model: {reason}")


def _check_opset(file: Path, model: onnx.ModelProto) -> None:
    opset = next((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), None)
    if opset is not None and opset < OLDEST_OPSET:
        raise ModelError(
            f"model file {file}: opset {opset} is older than {OLDEST_OPSET}: export it with a newer"
            " one"
        )


def _open_empty_dimensions(model: onnx.ModelProto) -> None:
    """Name the dimensions of size 0 or -1, by which some exporters mean any size."""
    for value in (*model.graph.input, *model.graph.output):
        for axis, dimension in enumerate(value.type.tensor_type.shape.dim):
            if dimension.HasField("dim_value") and dimension.dim_value <= 0:
                dimension.dim_param = f"{value.name}_{axis}"


def _load_weights(file: Path, model: onnx.ModelProto) -> None:
    """Read weights that are kept in files beside the model into it."""
    kept = [
        {pair.key: pair.value for pair in tensor.external_data}.get("location", "")
        for tensor in _tensors(model.graph)
        if external_data_helper.uses_external_data(tensor)
    ]
    for location in dict.fromkeys(kept):
        if not (file.parent / location).is_file():
            raise ModelError(
                f"model file {file} keeps its weights in {location!r}, which is missing: put that"
                " file beside it, or export with the weights inside"
            )
    try:
        onnx.load_external_data_for_model(model, str(file.parent))
    except Exception as error:  # Of onnx: a location outside the folder, too short a file.
        raise ModelError(
            f"model file {file}: its weights in {', '.join(map(repr, dict.fromkeys(kept)))} cannot"
            f" be read: {one_line(error)}"
        ) from error


def _tensors(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    """The constants of a graph and of those inside its operators."""
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            for inner in _graphs(attribute):
                yield from _tensors(inner)


def _graphs(attribute: onnx.AttributeProto) -> list[onnx.GraphProto]:
    return [*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs]


def _sort(file: Path, model: onnx.ModelProto) -> None:
    """Put the nodes in an order in which each comes after its inputs; kept if it is one already.

    onnxruntime takes any order, but not onnx's shape inference and quantisation.
    """
    nodes = list(model.graph.node)
    producer = {name: index for index, node in enumerate(nodes) for name in node.output if name}
    needs = {
        index: {producer[name] for name in _names_used(node) if name in producer} - {index}
        for index, node in enumerate(nodes)
    }
    if all(earlier < index for index, before in needs.items() for earlier in before):
        return
    try:
        order = list(TopologicalSorter(needs).static_order())
    except CycleError:
        raise _incomplete(file, "its operators form a cycle") from None
    del model.graph.node[:]
    model.graph.node.extend(nodes[index] for index in order)


def _names_used(node: onnx.NodeProto) -> Iterator[str]:
    """Names that an operator reads, those of the graphs inside it included."""
    yield from node.input
    for attribute in node.attribute:
        for inner in _graphs(attribute):
            for one in inner.node:
                yield from _names_used(one)
            yield from (output.name for output in inner.output)
