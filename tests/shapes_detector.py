"""A small detector of drawn shapes, trained in seconds and exported in two everyday forms.

`yolo` is [N, 4 + classes, A] with any height and width; `ssd` has its own suppression, a fixed
input, and boxes, scores and labels as outputs.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from PIL import Image, ImageDraw
from torch import Tensor, nn
from torch.nn import functional

LABELS = ("circle", "square", "triangle")
STRIDE, SIDE, OPSET, IR_VERSION = 8, 128, 17, 8
LAYERS = ((2, 1), (2, 1), (2, 1), (1, 2), (1, 3))
"""Stride and dilation: a cell sees 95 pixels, more than the largest shape."""
CHANNELS = (3, 16, 32, 48, 48, 48)

Truth = list[tuple[int, tuple[float, float, float, float]]]
"""Class and box of each object."""


def drawn(
    seed: int, size: tuple[int, int] = (SIDE, SIDE), largest: float = 0.45
) -> tuple[Image.Image, Truth]:
    """A picture of one to three shapes that do not overlap, on a noisy background."""
    rng = np.random.default_rng(seed)
    coarse = max(1, size[1] // int(rng.integers(1, 5))), max(1, size[0] // int(rng.integers(1, 5)))
    noise = rng.integers(0, int(rng.integers(2, 71)), (*coarse, 3)) + rng.integers(0, 60, 3)
    picture = Image.fromarray(noise.astype(np.uint8)).resize(size)
    pen, truth = ImageDraw.Draw(picture), []
    for _ in range(rng.integers(1, 4)):
        side = float(rng.uniform(0.2, largest) * min(size))
        x, y = (float(rng.uniform(2, length - side - 2)) for length in size)
        box = (x, y, x + side, y + side)
        if any(box[0] < b[2] and b[0] < box[2] and box[1] < b[3] and b[1] < box[3]
               for _, b in truth):  # fmt: skip
            continue
        label = int(rng.integers(len(LABELS)))
        colour = tuple(int(v) for v in rng.integers(130, 256, 3))
        _draw(pen, label, box, colour)
        truth.append((label, box))
    return picture, truth


def _draw(pen: ImageDraw.ImageDraw, label: int, box: tuple[float, ...], colour: Any) -> None:
    x0, y0, x1, y1 = box
    if label == 0:
        pen.ellipse(box, fill=colour)
    elif label == 1:
        pen.rectangle(box, fill=colour)
    else:
        pen.polygon([((x0 + x1) / 2, y0), (x1, y1), (x0, y1)], fill=colour)


def network() -> nn.Sequential:
    layers: list[nn.Module] = []
    for number, (stride, dilation) in enumerate(LAYERS):
        low, high = CHANNELS[number : number + 2]
        convolution = nn.Conv2d(low, high, 3, stride, dilation, dilation, bias=False)
        layers += [convolution, nn.BatchNorm2d(high), nn.ReLU()]
    head = nn.Conv2d(CHANNELS[-1], 4 + len(LABELS), 1)
    assert head.bias is not None
    nn.init.constant_(head.bias[4:], -3.0)  # Most cells show nothing.
    return nn.Sequential(*layers, head)


def targets(truth: Truth, side: int = SIDE) -> tuple[Tensor, Tensor]:
    """Classes [C, g, g] and logarithms of the distances to the four edges [4, g, g]."""
    cells = side // STRIDE
    classes, edges = torch.zeros(len(LABELS), cells, cells), torch.zeros(4, cells, cells)
    centre = (torch.arange(cells) + 0.5) * STRIDE
    x, y = centre[None, :].expand(cells, cells), centre[:, None].expand(cells, cells)
    for label, (x0, y0, x1, y1) in truth:
        half = 0.3 * (x1 - x0)
        inside = ((x - (x0 + x1) / 2).abs() < half) & ((y - (y0 + y1) / 2).abs() < half)
        distances = torch.stack([x - x0, y - y0, x1 - x, y1 - y]) / STRIDE
        classes[label][inside] = 1
        edges[:, inside] = distances[:, inside].log()
    return classes, edges


def trained(steps: int = 340, batch: int = 16, seed: int = 0) -> nn.Sequential:
    """Train on freshly drawn pictures; deterministic, on one thread about ten seconds."""
    torch.manual_seed(seed)
    model = network()
    samples = [drawn(10_000 + number, largest=0.65) for number in range(640)]
    arrays = np.stack([np.asarray(picture, np.float32) / 255 for picture, _ in samples])
    arrays[::4, :16] = arrays[::4, -16:] = arrays[2::8, :, :16] = 114 / 255  # Bars of a letterbox.
    pixels = torch.from_numpy(arrays)
    pixels = pixels.permute(0, 3, 1, 2).contiguous()
    classes, edges = (torch.stack(t) for t in zip(*(targets(t) for _, t in samples), strict=True))
    optimizer = torch.optim.Adam(model.parameters(), 4e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 8e-3, steps)
    rng = np.random.default_rng(seed)
    for _ in range(steps):
        rows = torch.from_numpy(rng.choice(len(samples), batch, replace=False))
        out = model(pixels[rows])
        inside = classes[rows].amax(dim=1, keepdim=True).expand(-1, 4, -1, -1) > 0
        shape = functional.smooth_l1_loss(out[:, :4][inside], edges[rows][inside])
        weight = 1 + classes[rows]
        kind = functional.binary_cross_entropy_with_logits(out[:, 4:], classes[rows], weight)
        optimizer.zero_grad()
        (shape + 5 * kind).backward()
        optimizer.step()
        schedule.step()
    return model.eval()


class _Graph:
    """Collects nodes and constants."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, values: Any, kind: type = np.float32) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(values, dtype=kind), name))
        return name

    def node(self, kind: str, *inputs: str, out: str = "", **attributes: Any) -> str:
        out = out or f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [out], **attributes))
        return out

    def indices(self, *values: int) -> str:
        return self.constant(values, np.int64)

    def model(self, shape: list[int | str], outputs: list[tuple[str, int, Any]]) -> onnx.ModelProto:
        pixels = helper.make_tensor_value_info("images", TensorProto.FLOAT, shape)
        values = [helper.make_tensor_value_info(*one) for one in outputs]
        graph = helper.make_graph(self.nodes, "shapes", [pixels], values, self.constants)
        opsets = [helper.make_opsetid("", OPSET)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)
        onnx.checker.check_model(model, full_check=True)
        return model


def _body(graph: _Graph, model: nn.Sequential) -> tuple[str, str]:
    """Corners in pixels [N, 4, g, g] and probabilities [N, C, g, g]."""
    flow = "images"
    for number, (stride, dilation) in enumerate(LAYERS):
        convolution, normal = model[3 * number], model[3 * number + 1]
        assert isinstance(convolution, nn.Conv2d) and isinstance(normal, nn.BatchNorm2d)
        assert normal.running_var is not None and normal.running_mean is not None
        scale = normal.weight.detach() / (normal.running_var + normal.eps).sqrt()
        kernel = graph.constant((convolution.weight.detach() * scale[:, None, None, None]).numpy())
        bias = graph.constant((normal.bias.detach() - normal.running_mean * scale).numpy())
        flow = graph.node("Conv", flow, kernel, bias, strides=[stride] * 2,
                          dilations=[dilation] * 2, pads=[dilation] * 4)  # fmt: skip
        flow = graph.node("Relu", flow)
    head = model[-1]
    assert isinstance(head, nn.Conv2d) and head.bias is not None
    kernel, bias = (graph.constant(p.detach().numpy()) for p in (head.weight, head.bias))
    flow = graph.node("Conv", flow, kernel, bias)
    edges = _sliced(graph, flow, 0, 4)
    scores = graph.node("Sigmoid", _sliced(graph, flow, 4, 4 + len(LABELS)))
    distances = graph.node("Mul", graph.node("Exp", edges), graph.constant(float(STRIDE)))
    one = graph.node("Add", graph.node("Mul", _sliced(graph, flow, 0, 1), graph.constant(0.0)),
                     graph.constant(1.0))  # fmt: skip
    corners = []
    for sign, first in ((-1.0, 0), (1.0, 2)):
        for axis, offset in ((3, 0), (2, 1)):
            count = graph.node("CumSum", one, graph.constant(axis, np.int64))
            count = graph.node("Sub", count, graph.constant(0.5))
            centre = graph.node("Mul", count, graph.constant(float(STRIDE)))
            edge = _sliced(graph, distances, first + offset, first + offset + 1)
            edge = graph.node("Mul", edge, graph.constant(sign))
            corners.append(graph.node("Add", centre, edge))
    return graph.node("Concat", *corners, axis=1), scores


def _sliced(graph: _Graph, flow: str, first: int, end: int) -> str:
    return graph.node("Slice", flow, graph.indices(first), graph.indices(end), graph.indices(1))


def yolo(model: nn.Sequential) -> onnx.ModelProto:
    """Centre, size and probabilities of every cell, for any height and width."""
    graph = _Graph()
    corners, scores = _body(graph, model)
    low, high = _sliced(graph, corners, 0, 2), _sliced(graph, corners, 2, 4)
    centre = graph.node("Mul", graph.node("Add", low, high), graph.constant(0.5))
    table = graph.node("Concat", centre, graph.node("Sub", high, low), scores, axis=1)
    width = 4 + len(LABELS)
    graph.node("Reshape", table, graph.indices(0, width, -1), out="output0")
    return graph.model(
        ["batch", 3, "height", "width"], [("output0", TensorProto.FLOAT, ["batch", width, "cells"])]
    )


def ssd(model: nn.Sequential, side: int = SIDE) -> onnx.ModelProto:
    """Objects after suppression, boxes as shares of the input: one picture of a fixed size."""
    graph = _Graph()
    corners, scores = _body(graph, model)
    boxes = graph.node("Reshape", corners, graph.indices(1, 4, -1))
    boxes = graph.node("Transpose", boxes, perm=[0, 2, 1])
    boxes = graph.node("Div", boxes, graph.constant(float(side)))
    scores = graph.node("Reshape", scores, graph.indices(1, len(LABELS), -1))
    limits = graph.indices(50), graph.constant([0.5]), graph.constant([0.02])
    chosen = graph.node("NonMaxSuppression", boxes, scores, *limits)
    columns = [graph.node("Gather", chosen, graph.constant(n, np.int64), axis=1) for n in (1, 2)]
    flat = graph.node("Squeeze", boxes, graph.indices(0))
    graph.node("Gather", flat, columns[1], out="boxes", axis=0)
    graph.node("GatherND", scores, chosen, out="scores")
    graph.node("Identity", columns[0], out="labels")
    outputs = [
        ("boxes", TensorProto.FLOAT, ["objects", 4]), ("scores", TensorProto.FLOAT, ["objects"]),
        ("labels", TensorProto.INT64, ["objects"]),
    ]  # fmt: skip
    return graph.model([1, 3, side, side], outputs)


def export(folder: Path) -> None:
    """Write both forms of one training, and the labels, into a folder."""
    model = trained()
    (folder / "yolo.onnx").write_bytes(yolo(model).SerializeToString(deterministic=True))
    (folder / "ssd.onnx").write_bytes(ssd(model).SerializeToString(deterministic=True))
    (folder / "shapes.txt").write_text("".join(f"{name}\n" for name in LABELS))


def overlap(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Shared area of two boxes over their joint area."""
    low, high = np.maximum(one[:2], other[:2]), np.minimum(one[2:], other[2:])
    shared = float(np.clip(high - low, 0, None).prod())
    return shared / float((one[2:] - one[:2]).prod() + (other[2:] - other[:2]).prod() - shared)
