"""Settings of a training run, and the prepared pictures that its workers share."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from tercet.models import folders, images
from tercet.models.errors import ImageError, ModelError
from tercet.models.folders import Sample
from tercet.models.images import CROP
from tercet.models.variants import INPUT_PX

STRIDE = 32
"""Total stride of the network: the smallest possible input."""
CONFIG, PICTURES, NUMBERS = "recipe.json", "pictures.u8", "numbers.npz"
"""Files of the prepared data: settings, pixels, class indices and bounds of the parts."""
SPLIT = "split.json"
"""The split into parts, fixed when the work begins: the folder may change later."""


class TrainingConfig(BaseModel):
    """Everything a result depends on, except the pictures."""

    model_config = ConfigDict(frozen=True)

    data: Path
    input_px: int = Field(INPUT_PX, ge=STRIDE, le=512, description="side of the square input")
    epochs: int = Field(40, ge=1, description="passes over the training pictures, at most")
    patience: int = Field(8, ge=1, description="epochs without a better validation, then stop")
    batch: int = Field(64, ge=2, description="pictures per step")
    rate: float | None = Field(None, gt=0, description="peak learning rate; None: by start")
    flip: bool = Field(True, description="mirror left and right at random; not for letters")
    seed: int = Field(0, ge=0, lt=2**63)
    test_share: float = Field(0.2, gt=0, lt=0.9, description="held out for the final measurement")
    validation_share: float = Field(0.12, gt=0, lt=0.9, description="of the rest, for validation")
    start: Mapping[float, Path] = Field(
        default_factory=dict, description="width to weights to start from; else random weights"
    )

    @property
    def side(self) -> int:
        """Side of a prepared picture; a training crop covers `CROP` of it."""
        return round(self.input_px / CROP)

    def split(self) -> Split:
        """Training, validation and test pictures; depends on names and shares only."""
        rest, test = folders.held_out(folders.samples(self.data), self.test_share, "test")
        train, validation = folders.held_out(rest, self.validation_share, "validation")
        if not test or not validation:
            raise ImageError(
                f"labelled folder {self.data}: too few pictures to hold some out: each class needs"
                " three or more"
            )
        return {"train": train, "validation": validation, "test": test}

    def digest(self, samples: Sequence[Sample]) -> str:
        """Hash of settings and pictures: work with another digest cannot be resumed."""
        whole = hashlib.sha256(self.model_dump_json().encode())
        for sample in samples:
            whole.update(f"{sample.folder}/{sample.path.name}/{_stamp(sample.path)}".encode())
        return whole.hexdigest()[:12]


def _stamp(path: Path) -> str:
    """Size and modification time: a change indicates another content."""
    if not path.is_file():
        return "none"
    stat = path.stat()
    return f"{stat.st_size}/{stat.st_mtime_ns}"


Part = Literal["train", "validation", "test"]
Split = dict[Part, list[Sample]]


class PreparedData:
    """Decoded pictures on disk, [N, side, side, 3], and the class index of each."""

    def __init__(self, directory: Path) -> None:
        """Open the files that `prepare` has written."""
        self.config = TrainingConfig.model_validate_json((directory / CONFIG).read_text())
        self.split: Split = TypeAdapter(Split).validate_json((directory / SPLIT).read_text())
        with np.load(directory / NUMBERS) as numbers:
            self.classes = tuple(str(name) for name in numbers["classes"])
            self._number = numbers["number"]
            self._first = {part: numbers[part] for part in ("train", "validation")}
        side = self.config.side
        self._pictures = np.memmap(
            directory / PICTURES, np.uint8, "r", shape=(len(self._number), side, side, 3)
        )

    def part(
        self, name: Literal["train", "validation"]
    ) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """Pictures [N, side, side, 3] and class indices [N]."""
        first, last = self._first[name]
        return self._pictures[first:last], self._number[first:last]


def prepare(
    config: TrainingConfig, directory: Path, progress: Callable[[int, int], None]
) -> list[tuple[str, str]]:
    """Decode training and validation pictures into `directory`; return those skipped and why.

    Held-out pictures are decoded too, so that all unusable ones are named before the training.
    """
    split = config.split()
    names = folders.classes([*split["train"], *split["validation"], *split["test"]])
    skipped: list[tuple[str, str]] = []
    bounds: dict[str, tuple[int, int]] = {}
    numbers, done, usable = list[int](), 0, 0
    total = sum(map(len, split.values()))
    with (directory / PICTURES).open("wb") as file:
        for part, samples in split.items():
            first = len(numbers)
            for sample in samples:
                done += 1
                progress(done, total)
                try:
                    square = _square(sample.path, config.side)
                except ImageError as error:
                    skipped.append((f"{sample.folder}/{sample.path.name}", str(error)))
                    continue
                if part == "test":
                    usable += 1
                else:
                    file.write(square.tobytes())
                    numbers.append(names.index(sample.folder))
            bounds[part] = (first, len(numbers))
    if usable == 0:
        raise ImageError(f"labelled folder {config.data}: no held-out picture is usable")
    if len(set(numbers[: bounds["train"][1]])) < len(names) or len(set(bounds["validation"])) < 2:
        raise ModelError(
            f"labelled folder {config.data}: a class has no usable picture to train on"
        )
    np.savez(
        directory / NUMBERS, classes=np.array(names), number=np.array(numbers),
        train=np.array(bounds["train"]), validation=np.array(bounds["validation"]),
    )  # fmt: skip
    (directory / SPLIT).write_bytes(TypeAdapter(Split).dump_json(split))
    (directory / CONFIG).write_text(config.model_dump_json())
    return skipped


def _square(path: Path, side: int) -> NDArray[np.uint8]:
    """The centred square of a picture, [side, side, 3]."""
    image = images.rgb(images.picture(path).jpeg, side)
    half, middle = min(image.size) / 2, (image.width / 2, image.height / 2)
    box = (middle[0] - half, middle[1] - half, middle[0] + half, middle[1] + half)
    resized = image.resize((side, side), Image.Resampling.BILINEAR, box=box, reducing_gap=2.0)
    return np.asarray(resized)
