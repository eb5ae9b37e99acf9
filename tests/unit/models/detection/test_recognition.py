"""Outputs of every usual kind of detector are recognised, and decode to the same objects."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tercet.models.detection.decoding import decoded
from tercet.models.detection.output_form import DetectionOutput
from tercet.models.detection.recognition import recognised
from tercet.models.errors import ModelError
from tests.unit.models.detection import exported_outputs as exported
from tests.unit.models.detection.exported_outputs import CLASSES, SIDE, Outputs


def found(outputs: Outputs, form: DetectionOutput) -> list[tuple[float, int, list[float]]]:
    floats = {name: np.asarray(array, np.float32) for name, array in outputs.items()}
    objects = decoded(floats, form, CLASSES, SIDE)
    rows = zip(objects.scores, objects.classes, objects.boxes, strict=True)
    return [(round(float(s), 2), int(c), [round(float(v)) for v in b]) for s, c, b in rows]


EXPECTED = [
    (round(float(score), 2), int(label), [int(v) for v in box])
    for score, label, box in zip(exported.SCORES, exported.LABELS, exported.BOXES, strict=True)
]


@pytest.mark.parametrize("kind", exported.KINDS, ids=lambda kind: kind.__name__)
def test_the_same_objects_come_from_every_kind_of_output(kind: Callable[[], Outputs]) -> None:
    form = recognised([kind(), kind()], CLASSES, {})
    objects = found(kind(), form)
    assert [o for o in objects if o[0] >= 0.5] == EXPECTED


def test_one_class_counts_from_one_where_it_is_stated() -> None:
    outputs = exported.torchvision()
    form = recognised([outputs], CLASSES, {})  # A class 3 of three labels shows it.
    assert form.background == "first"
    assert found(outputs, form) == EXPECTED


def test_where_classes_begin_is_asked_for_when_no_run_shows_it() -> None:
    outputs = exported.torchvision() | {"labels": np.array([1, 2, 2])}
    with pytest.raises(ModelError, match="background=none or background=first"):
        recognised([outputs], CLASSES, {})
    assert recognised([outputs], CLASSES, {"background": "none"}).background == "none"


def test_what_is_stated_is_taken() -> None:
    outputs = exported.ssd_without_nms()
    form = recognised([outputs], CLASSES, {"nms_iou": 0.3, "resize": "letterbox"})
    assert (form.nms_iou, form.resize) == (0.3, "letterbox")


@pytest.mark.parametrize(
    ("stated", "reason"),
    [
        ({"box_order": "xywh"}, "--detection box_order"),
        ({"colour": "red"}, "--detection colour"),
        ({"boxes": "nowhere"}, "no output 'nowhere'"),
    ],
)
def test_a_wrong_statement_is_refused_by_name(stated: dict[str, object], reason: str) -> None:
    with pytest.raises(ModelError, match=reason):
        recognised([exported.yolo_v8()], CLASSES, stated)


@pytest.mark.parametrize(
    ("outputs", "reason"),
    [
        ({"a": np.zeros((1, 80, 80, 24), np.float32)}, "neither 7 nor 8 values per box"),
        ({"a": np.zeros((1, 9, 8)), "b": np.zeros((1, 9, 9))}, "8 values per box for 3 labels.*x"),
        ({"boxes": np.zeros((1, 9, 4)), "b": np.zeros((1, 5))}, "no scores beside the boxes boxes"),
    ],
)
def test_outputs_that_are_no_boxes_are_refused(outputs: Outputs, reason: str) -> None:
    if reason.endswith("x"):
        outputs, reason = {"a": np.zeros((1, 9, 9)), "b": np.zeros((1, 3, 9, 9))}, "decoded boxes"
    with pytest.raises(ModelError, match=reason):
        recognised([outputs], CLASSES, {})


def test_offsets_to_grid_cells_are_refused() -> None:
    raw = np.random.default_rng(0).normal(size=(1, 100, 5 + CLASSES)).astype(np.float32)
    with pytest.raises(ModelError, match="decoded boxes, not offsets"):
        recognised([{"output": raw}], CLASSES, {})


def test_outputs_that_do_not_fit_the_form_are_refused() -> None:
    form = recognised([exported.yolo_v8()], CLASSES, {})
    with pytest.raises(ModelError, match="7 values per box"):
        decoded({"output0": np.zeros((1, 9, 50), np.float32)}, form, CLASSES, SIDE)


def test_no_object_at_all_is_an_empty_answer() -> None:
    form = recognised([exported.yolo_v10()], CLASSES, {})
    nothing = np.full((1, 10, 6), np.nan, np.float32)
    assert len(decoded({"output0": nothing}, form, CLASSES, SIDE)) == 0
    rows = recognised([exported.yolo_v7_end_to_end()], CLASSES, {})
    assert len(decoded({"output": np.zeros((0, 7), np.float32)}, rows, CLASSES, SIDE)) == 0


def test_six_values_are_an_object_or_a_candidate_by_what_they_hold() -> None:
    """With two labels a YOLO v8 has six values per candidate, and so has a row per object."""
    rows = np.array([[[10, 20, 110, 90, 0.9, 1], [200, 40, 260, 240, 0.7, 0]]], np.float32)
    assert recognised([{"output": rows}], 2, {}).kind == "rows"
    candidates = np.array([[[60, 55, 100, 70, 0.9, 0.1], [230, 140, 60, 20, 0.2, 0.6]]], np.float32)
    form = recognised([{"output": candidates.transpose(0, 2, 1)}], 2, {})
    assert (form.kind, form.box_order, form.objectness) == ("candidates", "cxcywh", False)
    one_class = recognised([{"output": candidates}], 1, {})
    assert (one_class.kind, one_class.objectness) == ("candidates", True)
    with pytest.raises(ModelError, match="say --detection kind=rows or kind=candidates"):
        recognised([{"output": np.zeros((1, 300, 6), np.float32)}], 2, {})


def test_a_model_that_finds_nothing_is_asked_about() -> None:
    nothing = {"output": np.zeros((1, 100, 6), np.float32)}
    with pytest.raises(ModelError, match="box_unit=pixels or box_unit=share"):
        recognised([nothing], 3, {})
    assert recognised([nothing], 3, {"box_unit": "share"}).box_unit == "share"
