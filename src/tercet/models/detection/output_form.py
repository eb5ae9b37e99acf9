"""What the outputs of a detector mean: which tensor holds what, in which order and unit.

Three kinds cover what detectors are exported with:

* `candidates`  one tensor, per candidate a box and a score per class, or these with an objectness
                before them (YOLO v3 to v13, in either order of its dimensions)
* `rows`        one tensor, a row per object with box, score and class (built-in suppression of
                YOLO v8 and later, YOLO v10, OpenVINO's DetectionOutput)
* `parts`       boxes and scores apart, perhaps with the class and the number of objects (SSD,
                TensorFlow's detection API, DETR, end-to-end exports)
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tercet.models.detection.letterbox import Resize

DetectionKind = Literal["candidates", "rows", "parts"]
BoxOrder = Literal["xyxy", "yxyx", "cxcywh"]
"""Two corners, x or y first; or centre, width and height."""
BoxUnit = Literal["pixels", "share"]
"""Of the model's input, or as a share of its width and height."""
Scores = Literal["probabilities", "sigmoid", "softmax"]
"""Probabilities as they are, or what makes them of the scores."""
Background = Literal["none", "first", "last"]
"""Where the class `no object` is among the classes."""
Column = Literal["x_min", "y_min", "x_max", "y_max", "score", "class", "ignored"]
ROW_OF_SIX: tuple[Column, ...] = ("x_min", "y_min", "x_max", "y_max", "score", "class")
NMS_IOU = 0.6
"""Boxes of one class that overlap by more are one object, where the model leaves that to us."""


class DetectionOutput(BaseModel):
    """The outputs of one detector."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: DetectionKind
    boxes: str | None = Field(None, description="output with the boxes; None: it has only one")
    scores: str | None = Field(None, description="output with the scores, of `parts`")
    classes: str | None = Field(None, description="output with a class per box, of `parts`")
    count: str | None = Field(None, description="output with the number of boxes, of `parts`")
    box_order: BoxOrder = "xyxy"
    box_unit: BoxUnit = "pixels"
    score_kind: Scores = "probabilities"
    objectness: bool = Field(False, description="a score of any object precedes the classes'")
    background: Background = "none"
    columns: tuple[Column, ...] = Field(ROW_OF_SIX, description="of `rows`, in order")
    nms_iou: float | None = Field(
        None, gt=0, le=1, description="our suppression's threshold; None: the model has its own"
    )
    resize: Resize = "letterbox"

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.kind == "parts" and (self.boxes is None or self.scores is None):
            raise ValueError("parts need the names of boxes and scores")
        if self.kind == "rows" and not set(ROW_OF_SIX) <= set(self.columns):
            raise ValueError("columns need x_min, y_min, x_max, y_max, score and class")
        return self

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the outputs that are read, where the file has several."""
        named = (self.boxes, self.scores, self.classes, self.count)
        return tuple(name for name in named if name is not None)
