"""The manifest of a model directory: file, hash and accuracy of each variant.

    models/
        manifest.json     written last: the files it lists were complete
        d0.onnx … d7.onnx
        labels.txt        one name per line, in the order of the model's outputs

`load` compares each file with its recorded size and SHA-256 before it is used.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from platformdirs import user_cache_path
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tercet.models.errors import ModelError, one_line
from tercet.models.normalisation import Normalisation
from tercet.models.tensor_form import InputType, Layout, TensorForm
from tercet.models.variants import Precision

FILE_NAME = "manifest.json"
LABELS_FILE = "labels.txt"
PLAIN_NAME = r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$"
"""A file name beside the manifest; no path that leads out of the directory."""
UNTRAINED = "seeded, untrained"
"""`Entry.weights` of models built from a seed: real speed, labels without meaning."""


class Measured(BaseModel):
    """Measured accuracy on labelled pictures; each share with its 95 % interval, percent."""

    model_config = ConfigDict(frozen=True)

    data: str = Field(min_length=1, description="which pictures")
    pictures: int = Field(gt=0)
    classes: int = Field(gt=1)
    top1_pct: float = Field(ge=0, le=100)
    top1_interval: tuple[float, float]
    top5_pct: float = Field(ge=0, le=100)
    top5_interval: tuple[float, float]


class Entry(BaseModel):
    """One variant: its file, work, accuracy and origin."""

    model_config = ConfigDict(frozen=True)

    file: str = Field(pattern=PLAIN_NAME, description="ONNX file beside the manifest")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    bytes: int = Field(gt=0)
    width: float | None = Field(
        gt=0, description="multiplier on the channels of every layer; None: no MobileNetV1"
    )
    precision: Precision
    million_macs: float | None = Field(
        gt=0, description="multiply-accumulates, counted from the graph; None: it cannot be"
    )
    input_px: int = Field(gt=0, description="side of the square input, pixels")
    accuracy_pct: float = Field(ge=0, le=100)
    accuracy_source: str = Field(min_length=1, description="in plain words, whose figure this is")
    labels: str = Field(pattern=PLAIN_NAME, description="labels file beside the manifest")
    weights: str = Field(min_length=1, description="in plain words, where the weights come from")
    normalisation: Normalisation = Field(
        "symmetric",
        description="of pixels 0..255: a name (normalisation.BY_NAME), or mean and scale",
    )
    probabilities: bool = Field(False, description="outputs are probabilities, not logits")
    layout: Layout = Field("NCHW", description="order of the input's dimensions")
    input_type: InputType = "float"
    output_name: str | None = Field(None, description="which output; None: it has only one")
    batches: bool = Field(True, description="several pictures in a run give what each gives alone")
    measured: Measured | None = Field(None, description="what it scored, once evaluated")

    @property
    def form(self) -> TensorForm:
        """The model's input and output, to open it with."""
        return TensorForm(
            self.layout, self.input_type, self.input_px, self.output_name, self.batches
        )


class Manifest(BaseModel):
    """The entries of a model directory."""

    model_config = ConfigDict(frozen=True)

    version: int = Field(default=1, ge=1, le=1)
    variants: Mapping[str, Entry] = Field(default_factory=dict)
    built_with: Mapping[str, str] = Field(default_factory=dict, description="library versions")
    directory: Path = Field(default=Path(), exclude=True)

    def entry(self, variant: str) -> Entry:
        """The entry of a variant; `ModelError` if this directory does not have it."""
        try:
            return self.variants[variant]
        except KeyError:
            offered = ", ".join(sorted(self.variants)) or "none"
            raise ModelError(
                f"unknown variant {variant!r}: {self.directory} offers {offered}"
            ) from None

    def path(self, variant: str) -> Path:
        """Path of a variant's ONNX file."""
        return self.directory / self.entry(variant).file

    def labels(self, variant: str) -> tuple[str, ...]:
        """Names of a variant's classes, in the order of its outputs."""
        path = self.directory / self.entry(variant).labels
        try:
            return tuple(path.read_text(encoding="utf-8").splitlines())
        except FileNotFoundError:
            raise ModelError(f"labels file {path} is missing") from None
        except (OSError, UnicodeDecodeError) as error:
            raise ModelError(f"labels file {path} cannot be read: {one_line(error)}") from error

    @property
    def untrained(self) -> bool:
        """Whether any variant has untrained weights: its labels then have no meaning."""
        return any(entry.weights == UNTRAINED for entry in self.variants.values())


def default_directory() -> Path:
    """The default model directory, in the user's cache."""
    return user_cache_path("tercet") / "models"


def read(directory: Path) -> Manifest:
    """Parse the manifest without verifying files; `ModelError` if it is missing or malformed."""
    path = directory / FILE_NAME
    try:
        manifest = Manifest.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise ModelError(f"{path} is missing: no models were built or imported there") from None
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {one_line(error)}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise ModelError(f"{path} is malformed: {where}: {first['msg']}") from None
    return manifest.model_copy(update={"directory": directory})


def load(directory: Path, variants: Iterable[str] | None = None) -> Manifest:
    """Read the manifest and verify the files of `variants` (default: all it lists).

    Raises `ModelError`, one line that names the file or the variant.
    """
    manifest = read(directory)
    for name in manifest.variants if variants is None else variants:
        verify(manifest.path(name), manifest.entry(name))
        manifest.labels(name)
    return manifest


def verify(path: Path, entry: Entry) -> None:
    """Compare a model file with its entry; `ModelError` if missing, of another size, or changed."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise ModelError(f"model file {path} is missing") from None
    except OSError as error:
        raise ModelError(f"model file {path} cannot be read: {one_line(error)}") from error
    if len(content) != entry.bytes:
        kind = "truncated" if len(content) < entry.bytes else "changed"
        raise ModelError(f"model file {path} is {kind}: {len(content)} bytes, not {entry.bytes}")
    if hashlib.sha256(content).hexdigest() != entry.sha256:
        raise ModelError(f"model file {path} was changed: its SHA-256 is not the manifest's")


def write(manifest: Manifest) -> None:
    """Write the manifest into its directory in one atomic step."""
    path = manifest.directory / FILE_NAME
    draft = path.with_suffix(f".{os.getpid()}.draft")
    draft.write_text(manifest.model_dump_json(indent=2) + "\n", encoding="utf-8")
    draft.replace(path)
