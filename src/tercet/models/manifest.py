"""The manifest of a model family: its task and labels, and what is known of each variant.

    doors/
        manifest.json     written last: the files it lists were complete
        small.onnx …      one file per variant; variants may share one
        labels.txt        one name per line, in the order of the model's outputs

A family has any number of variants, of any names, that answer the same question: they have one task
and the same labels. `load` compares each file with its recorded size and SHA-256 before it is used.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Literal

from platformdirs import user_cache_path
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from tercet.models.errors import ModelError, one_line
from tercet.models.manifest_entry import UNTRAINED, Entry, Measured, Metric, Output
from tercet.models.variants import MOBILENET_VARIANTS

__all__ = [
    "UNTRAINED", "Entry", "Manifest", "Measured", "Metric", "Output", "check_labels", "check_name",
    "load", "read", "untrained_labels", "verify", "write",
]  # fmt: skip

FILE_NAME = "manifest.json"
LABELS_FILE = "labels.txt"
PAPER_FAMILY = "mobilenet-v1"
"""Name of the paper's eight variants; their manifests of earlier versions name no family."""

WITHIN_POINTS = 2.0
"""A family's default goal is so many points below the accuracy of its best variant."""

Task = Literal["classification", "detection", "tensors"]
"""What a family answers about a picture; every task has its own outputs and metrics."""
NAME = r"^[A-Za-z0-9_-]{1,32}$"
VariantName = Annotated[str, Field(pattern=NAME)]
"""Options are written `variant@tier`."""
FamilyName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]


class Manifest(BaseModel):
    """The entries of a model directory."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int = Field(default=1, ge=1, le=1)
    family: FamilyName | None = Field(
        None, description="the name applications ask for; None: the directory's (`name`)"
    )
    task: Task = "classification"
    goal: str | None = Field(
        None,
        pattern=r"^(min|max|100(\.0+)?|\d{1,2}(\.\d+)?)$",
        description="least average accuracy unless one is given: min, max or percent, in the"
        " variants' metric; None: within two points of the best variant's",
    )
    variants: Mapping[VariantName, Entry] = Field(default_factory=dict)
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
    def name(self) -> str:
        """The family's name: the one stated, the paper's for its variants, or the directory's."""
        if self.family is not None:
            return self.family
        known = self.variants.keys() <= MOBILENET_VARIANTS.keys()
        paper = known and any(entry.width is not None for entry in self.variants.values())
        return PAPER_FAMILY if paper else _name_from(self.directory.absolute().name)

    @property
    def default_goal(self) -> float | str:
        """Least average accuracy where none is given: `min`, `max`, or percent."""
        if self.goal is not None:
            return self.goal if self.goal in ("min", "max") else float(self.goal)
        best = max((entry.accuracy_pct for entry in self.variants.values()), default=0.0)
        return round(max(best - WITHIN_POINTS, 0.0), 2)

    def doubts(self) -> list[str]:
        """What stands against decisions by these accuracies, each in one line."""
        metrics = sorted({entry.metric for entry in self.variants.values() if entry.metric})
        if len(metrics) < 2:
            return []
        return [f"accuracies of its variants are not alike: {', '.join(metrics)}"]

    @property
    def untrained(self) -> bool:
        """Whether any variant has untrained weights: its labels then have no meaning."""
        return any(entry.weights == UNTRAINED for entry in self.variants.values())


def check_name(variant: str) -> None:
    """Raise `ModelError` for what cannot be a variant's name."""
    if not re.fullmatch(NAME, variant):
        raise ModelError(f"variant {variant!r}: letters, digits, _ and -, at most 32, are a name")


def check_accuracy(percent: float) -> None:
    """Raise `ModelError` for what cannot be an accuracy."""
    if not 0 <= percent <= 100:
        raise ModelError(f"accuracy must be 0..100 percent, not {percent}")


def _name_from(text: str) -> str:
    """A directory's name with the characters that a family's name may have."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", text).strip("-")[:64] or "models"


def default_directory() -> Path:
    """The default model directory, in the user's cache."""
    return user_cache_path("tercet") / "models"


def read(directory: Path) -> Manifest:
    """Parse the manifest without verifying files; `ModelError` if it is missing or malformed."""
    path = directory / FILE_NAME
    try:
        content = json.loads(path.read_bytes(), object_pairs_hook=_distinct)
        manifest = Manifest.model_validate(content)
    except FileNotFoundError:
        raise ModelError(f"{path} is missing: no models were built or imported there") from None
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {one_line(error)}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise ModelError(f"{path} is malformed: {where}: {_reason(first)}") from None
    except ValueError as error:  # No JSON, no text, or a name that is given twice.
        raise ModelError(f"{path} is malformed: {one_line(error)}") from None
    return manifest.model_copy(update={"directory": directory})


def _distinct(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """An object of the file; ValueError for a name that it has twice, such as a variant's."""
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{twice}: it is there twice")
    return found


def _reason(error: ErrorDetails) -> str:
    return "unknown field" if error["type"] == "extra_forbidden" else error["msg"]


def load(directory: Path, variants: Iterable[str] | None = None) -> Manifest:
    """Read the manifest and verify the files of `variants` (default: all it lists).

    Raises `ModelError`, one line that names the file or the variant.
    """
    manifest = read(directory)
    chosen = tuple(manifest.variants if variants is None else variants)
    for name in chosen:
        verify(manifest.path(name), manifest.entry(name))
    check_labels(manifest.directory / FILE_NAME, {name: manifest.labels(name) for name in chosen})
    return manifest


def check_labels(where: Path, labels: Mapping[str, tuple[str, ...]]) -> None:
    """Raise `ModelError` unless these variants have the same labels, in the same order.

    Labels of seeded weights name nothing, so of theirs only the number counts.
    """
    meaningful = (name for name, names in labels.items() if names != untrained_labels(len(names)))
    first = next(meaningful, next(iter(labels), ""))
    for name, names in labels.items():
        if names not in (labels[first], untrained_labels(len(labels[first]))):
            raise ModelError(
                f"{where}: variants {first} and {name} have different labels: a family has one set;"
                " replace all of its variants at once, or use a directory of its own"
            )


def untrained_labels(classes: int) -> tuple[str, ...]:
    """Labels of seeded weights: wherever one is shown, it says that it means nothing."""
    return tuple(f"untrained-{number}" for number in range(classes))


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
