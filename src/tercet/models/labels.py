"""Class names from a text file or Keras' class index, and the class that a folder name means.

A text file has one class per line. Keras' `imagenet_class_index.json` has a synset and a name for
each index. They become one label, `n01440764 tench`, so a folder may have either name.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from tercet.models import imagenet_classes
from tercet.models.errors import ModelError, one_line


def read(path: Path) -> tuple[str, ...]:
    """The names in a file, in the order of the outputs; `ModelError` names the file."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"labels file {path} cannot be read: {one_line(error)}") from error
    names = _from_index(text, path) if path.suffix == ".json" else tuple(text.splitlines())
    blank = [number for number, name in enumerate(names, start=1) if not name.strip()]
    if not names or blank:
        what = f"line {blank[0]} is empty" if blank else "it is empty"
        raise ModelError(f"labels file {path}: {what}")
    if broken := [name for name in names if not is_one_line(name)]:
        raise ModelError(f"labels file {path}: {broken[0]!r} is more than a line")
    return names


def is_one_line(name: str) -> bool:
    """Whether a name is one line of text, as a labels file needs."""
    try:
        return len(name.encode().decode().splitlines()) == 1
    except UnicodeEncodeError:  # A folder's name need not be text.
        return False


def _from_index(text: str, path: Path) -> tuple[str, ...]:
    try:
        index = json.loads(text)
        pairs = [index[str(number)] for number in range(len(index))]
        if any(isinstance(pair, str) for pair in pairs):
            raise TypeError("a synset and a name for each number are expected")
        return tuple(" ".join(pair) for pair in pairs)
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError(f"labels file {path} is no class index: {one_line(error)}") from error


def file_name(names: Sequence[str]) -> str:
    """File name for these labels beside the manifest, derived from their content."""
    return f"labels-{hashlib.sha256(_text(names)).hexdigest()[:8]}.txt"


def write(directory: Path, names: Sequence[str]) -> str:
    """Write labels into a directory; return the file name."""
    name = file_name(names)
    (directory / name).write_bytes(_text(names))
    return name


def copy(directory: Path, name: str, to: Path) -> None:
    """Copy a labels file of a model directory into a draft, under the same name."""
    (to / name).write_bytes((directory / name).read_bytes())


def _text(names: Sequence[str]) -> bytes:
    return "".join(f"{name}\n" for name in names).encode()


def class_index(folder: str, names: Sequence[str]) -> int | None:
    """Index of the class that a folder's name means; None if none.

    It is the whole label, its first word, or the WordNet number of the label in ImageNet.
    """
    numbered = imagenet_classes.by_number().get(folder.strip())
    for meant in (folder, numbered):
        if meant is not None and (index := _index(meant, names)) is not None:
            return index
    return None


def _index(meant: str, names: Sequence[str]) -> int | None:
    wanted = normalised_name(meant)
    for index, name in enumerate(names):
        if wanted == normalised_name(name):
            return index
    for index, name in enumerate(names):
        if wanted == normalised_name(name.split(" ")[0]):
            return index
    return None


def check_count(file: Path, classes: int, names: Sequence[str]) -> None:
    """Raise `ModelError` when the number of outputs and of labels differ."""
    if len(names) != classes:
        raise ModelError(f"model file {file} has {classes} outputs, but {len(names)} labels")


def normalised_name(name: str) -> str:
    """A class name for comparison: case and underscores are ignored."""
    return name.strip().casefold().replace("_", " ")
