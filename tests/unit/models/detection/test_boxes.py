"""Suppression beside a plain loop over all pairs; boxes back into the picture as it was sent."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tercet.models.detection.boxes import Detections, empty
from tercet.models.detection.letterbox import GREY, placed
from tercet.models.detection.suppression import suppressed


def detections(seed: int, count: int) -> Detections:
    rng = np.random.default_rng(seed)
    corner = rng.uniform(0, 100, (count, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(1, 60, (count, 2))], axis=1)
    scores = rng.uniform(0, 1, count)
    return Detections(
        boxes.astype(np.float32), scores.astype(np.float32), rng.integers(0, 3, count)
    )


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    both = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1])
    return float(width * height / (both - width * height))


@given(st.integers(0, 10**6), st.integers(0, 40), st.sampled_from([0.3, 0.5, 0.7]))
@settings(max_examples=60, deadline=None)
def test_a_box_is_kept_unless_a_better_one_of_its_class_overlaps(
    seed: int, count: int, iou: float
) -> None:
    found = detections(seed, count)
    kept: list[int] = []
    for row in sorted(range(count), key=lambda i: -found.scores[i]):
        others = [k for k in kept if found.classes[k] == found.classes[row]]
        if all(overlap(found.boxes[k], found.boxes[row]) <= iou for k in others):
            kept.append(row)
    result = suppressed(found, iou)
    assert result.scores.tolist() == [found.scores[k] for k in kept]
    assert result.boxes.tolist() == [found.boxes[k].tolist() for k in kept]


def test_nothing_in_gives_nothing_out() -> None:
    assert len(suppressed(empty(), 0.5)) == 0


def test_rows_that_are_no_objects_are_left_out() -> None:
    boxes = np.array([[0, 0, 5, 5], [5, 5, 5, 9], [0, 0, np.nan, 5], [0, 0, 5, 5], [1, 1, 3, 3]])
    scores = np.array([0.9, 0.8, 0.7, np.nan, 0.5])
    found = Detections(boxes.astype(np.float32), scores.astype(np.float32), np.array([0] * 4 + [9]))
    assert found.valid(3).scores.tolist() == [pytest.approx(0.9)]


@pytest.mark.parametrize("resize", ["letterbox", "stretch"])
@pytest.mark.parametrize("size", [(640, 480), (300, 900), (33, 7), (320, 320)])
def test_a_box_in_the_input_is_where_the_object_was_in_the_picture(
    size: tuple[int, int], resize: str
) -> None:
    width, height = size
    box = np.array([width * 0.25, height * 0.5, width * 0.75, height], np.float32)
    picture = Image.new("RGB", size, "black")
    picture.paste("white", tuple(round(v) for v in box))
    pixels, placement = placed(picture, size, (320, 256), resize)  # type: ignore[arg-type]
    white = np.argwhere((pixels > 160).all(axis=2))
    (top, left), (bottom, right) = white.min(axis=0), white.max(axis=0) + 1
    seen = placement.undone(np.array([[left, top, right, bottom]], np.float32))[0]
    tolerance = 0.6 + 1.5 * max(1 / placement.scale_x, 1 / placement.scale_y)
    assert np.abs(seen - box).max() <= tolerance


def test_bars_are_grey_and_boxes_in_them_end_at_the_border() -> None:
    pixels, placement = placed(Image.new("RGB", (200, 100)), (200, 100), (100, 100))
    assert (pixels[0] == GREY).all()
    assert (pixels[50] == 0).all()
    box = np.array([[-5, 0, 105, 100]], np.float32)
    assert placement.undone(box).tolist() == [[0, 0, 200, 100]]


def test_a_picture_that_was_reduced_on_decoding_keeps_its_own_pixels() -> None:
    _, placement = placed(Image.new("RGB", (500, 250)), (4000, 2000), (100, 100))
    box = np.array([[0, 25, 100, 75]], np.float32)
    assert placement.undone(box).tolist() == [[0, 0, 4000, 2000]]
