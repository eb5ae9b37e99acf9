"""Download the weights that Keras publishes for the paper's variants, and the names of the classes.

Nobody publishes hashes of these files; what they hold is checked when they are imported.
"""

from __future__ import annotations

import http.client
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import IO, NamedTuple

from tercet.models.errors import ModelError, one_line
from tercet.models.model_directory import Progress

KERAS_WEIGHTS = "https://storage.googleapis.com/tensorflow/keras-applications/mobilenet"
KERAS_LABELS = "https://storage.googleapis.com/download.tensorflow.org/data"
WEIGHT_FILES = tuple(f"mobilenet_{width}_224_tf.h5" for width in ("1_0", "7_5", "5_0", "2_5"))
"""Keras' names for widths 1, 0.75, 0.5 and 0.25."""
LABELS_FILE = "imagenet_class_index.json"
MAX_BYTES = 64 * 1024 * 1024
"""A larger answer is none of these files: the largest has 17 MB."""
SILENCE_S = 30.0
"""A server that sends nothing for so long is given up."""
BLOCK = 1 << 20


class Downloaded(NamedTuple):
    """The files of one download."""

    weights: tuple[Path, ...]
    labels: Path


def keras_mobilenet(folder: Path, mirror: str | None, progress: Progress) -> Downloaded:
    """Download all files that `folder` lacks; `mirror`: the URL of a folder that has them all.

    Raises `ModelError`, one line that names the URL.
    """
    urls = {name: f"{mirror or KERAS_WEIGHTS}/{name}" for name in WEIGHT_FILES}
    urls[LABELS_FILE] = f"{mirror or KERAS_LABELS}/{LABELS_FILE}"
    for name, url in urls.items():
        if not (folder / name).exists():
            progress(name, "download")
            fetch(url, folder / name)
    return Downloaded(tuple(folder / name for name in WEIGHT_FILES), folder / LABELS_FILE)


def fetch(url: str, file: Path) -> None:
    """Write what a URL answers into a file; an interrupted download leaves no file of that name."""
    if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
        raise ModelError(f"{url}: http or https is expected")
    draft = file.with_suffix(file.suffix + ".part")
    try:
        with urllib.request.urlopen(url, timeout=SILENCE_S) as answer, draft.open("wb") as target:
            _copy(url, answer, target)
        draft.replace(file)
    except urllib.error.HTTPError as error:
        with error:  # It holds the connection.
            raise ModelError(f"{url} cannot be downloaded: HTTP {error.code}") from error
    except (OSError, http.client.HTTPException) as error:
        raise ModelError(f"{url} cannot be downloaded: {one_line(error)}") from error
    finally:
        draft.unlink(missing_ok=True)


def _copy(url: str, answer: http.client.HTTPResponse, target: IO[bytes]) -> None:
    size = 0
    while block := answer.read(BLOCK):
        size += len(block)
        if size > MAX_BYTES:
            raise ModelError(f"{url} sends more than {MAX_BYTES} bytes: not these weights")
        target.write(block)
    if answer.length:  # Bytes announced that never came.
        raise ModelError(f"{url} was cut off after {size} bytes")
