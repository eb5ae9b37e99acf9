"""Names of classes: from a text file, or from Keras' class index; and which folder is which class.

A text file has one class a line. Keras' `imagenet_class_index.json` has a synset and a name for
each number; a line then reads `n01440764 tench`, so that folders of either name are recognised.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

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
    if broken := [name for name in names if not one_lined(name)]:
        raise ModelError(f"labels file {path}: {broken[0]!r} is more than a line")
    return names


def one_lined(name: str) -> bool:
    """Whether a name is one line of text: a file of labels has one a line."""
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
    """A name for these labels beside the manifest; other labels have another."""
    return f"labels-{hashlib.sha256(_text(names)).hexdigest()[:8]}.txt"


def write(directory: Path, names: Sequence[str]) -> str:
    """Put labels into a directory; the file's name."""
    name = file_name(names)
    (directory / name).write_bytes(_text(names))
    return name


def copy(directory: Path, name: str, to: Path) -> None:
    """Labels of a model directory into a draft, under the same name."""
    (to / name).write_bytes((directory / name).read_bytes())


def _text(names: Sequence[str]) -> bytes:
    return "".join(f"{name}\n" for name in names).encode()


def number(folder: str, names: Sequence[str]) -> int | None:
    """Which class a folder's name means: the whole label, or its first word; None if none."""
    wanted = plain(folder)
    for place, name in enumerate(names):
        if wanted == plain(name):
            return place
    for place, name in enumerate(names):
        if wanted == plain(name.split(" ")[0]):
            return place
    return None


def agree(file: Path, classes: int, names: Sequence[str]) -> None:
    """Complain of a model whose outputs are not as many as the labels; raises ModelError."""
    if len(names) != classes:
        raise ModelError(f"model file {file} has {classes} outputs, but {len(names)} labels")


def plain(name: str) -> str:
    """A name as it is compared: neither case nor underscores matter."""
    return name.strip().casefold().replace("_", " ")
