"""One variant in a manifest: its file, input, output, precision, accuracy and origin."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tercet.models.detection.output_form import DetectionOutput
from tercet.models.normalisation import Normalisation
from tercet.models.tensor_form import InputType, Layout, TensorForm
from tercet.models.tensor_signature import TensorSignature
from tercet.models.variants import Precision

PLAIN_NAME = r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$"
"""A file name beside the manifest; no path that leads out of the directory."""
UNTRAINED = "seeded, untrained"
"""`Entry.weights` of models built from a seed: real speed, labels without meaning."""

Metric = Literal["top-1", "top-5", "mAP@0.5", "mAP@0.5:0.95"]
"""What an accuracy in percent counts; goals are in the metric of their family."""
Output = Literal["logits", "probabilities", "boxes", "tensors"]
"""Scores of classes before or after softmax or sigmoid, a detector's boxes, or just tensors."""


class Measured(BaseModel):
    """Measured accuracy on labelled pictures; each share with its 95 % interval, percent."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    data: str = Field(min_length=1, description="which pictures")
    pictures: int = Field(gt=0)
    classes: int = Field(gt=1)
    top1_pct: float = Field(ge=0, le=100)
    top1_interval: tuple[float, float]
    top5_pct: float = Field(ge=0, le=100)
    top5_interval: tuple[float, float]


class MeasuredMap(BaseModel):
    """Mean average precision on labelled pictures, percent, as pycocotools counts it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    data: str = Field(min_length=1, description="which pictures")
    pictures: int = Field(gt=0)
    objects: int = Field(gt=0)
    map50_pct: float = Field(ge=0, le=100, description="at an overlap (IoU) of 0.5")
    map_pct: float = Field(ge=0, le=100, description="mean over overlaps of 0.5 to 0.95")


class Entry(BaseModel):
    """One variant: its file, work, accuracy and origin."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    file: str = Field(pattern=PLAIN_NAME, description="ONNX file beside the manifest")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    bytes: int = Field(gt=0)
    width: float | None = Field(
        None,
        gt=0,
        description="multiplier on the channels of every layer; None: no MobileNetV1",
    )
    precision: Precision
    million_macs: float | None = Field(
        None,
        gt=0,
        description="multiply-accumulates, counted from the graph; None: it cannot be",
    )
    input_px: int = Field(gt=0, description="side of the square input, pixels")
    accuracy_pct: float = Field(ge=0, le=100)
    metric: Metric | None = Field(
        None, description="what the accuracy counts; None: not stated, see its source"
    )
    accuracy_source: str = Field(min_length=1, description="in plain words, whose figure this is")
    labels: str = Field(pattern=PLAIN_NAME, description="labels file beside the manifest")
    weights: str = Field(min_length=1, description="in plain words, where the weights come from")
    licence: str | None = Field(None, description="of the weights, such as Apache-2.0; None: own")
    normalisation: Normalisation = Field(
        "symmetric",
        description="of pixels 0..255: a name (normalisation.BY_NAME), or mean and scale",
    )
    output: Output = Field("logits", description="what the outputs mean")
    layout: Layout = Field("NCHW", description="order of the input's dimensions")
    input_type: InputType = "float"
    output_name: str | None = Field(None, description="which output; None: it has only one")
    batches: bool = Field(True, description="several pictures in a run give what each gives alone")
    measured: Measured | None = Field(None, description="what it scored, once evaluated")
    detection: DetectionOutput | None = Field(
        None, description="which outputs hold boxes, scores and classes; of a detector"
    )
    tensors: TensorSignature | None = Field(None, description="of a model for raw tensors")
    measured_map: MeasuredMap | None = Field(
        None, description="what a detector scored, once evaluated"
    )

    @property
    def form(self) -> TensorForm:
        """The model's input and output, to open it with."""
        return TensorForm(
            self.layout, self.input_type, self.input_px, self.output_name, self.batches
        )

    @property
    def probabilities(self) -> bool:
        """Whether the outputs are probabilities, not logits."""
        return self.output == "probabilities"

    @model_validator(mode="before")
    @classmethod
    def _of_earlier_versions(cls, fields: object) -> object:
        """Manifests of earlier versions say `probabilities` instead of `output`."""
        if not isinstance(fields, dict) or "probabilities" not in fields:
            return fields
        kept = {name: value for name, value in fields.items() if name != "probabilities"}
        return {"output": "probabilities" if fields["probabilities"] else "logits", **kept}
