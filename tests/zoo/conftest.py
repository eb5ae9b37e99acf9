"""The eight variants, built once per state of the zoo's code and kept in pytest's own cache."""

from __future__ import annotations

import hashlib
import shutil
import time
from importlib.metadata import version
from pathlib import Path

import pytest

import zoo
from zoo.images import Picture, load_pictures
from zoo.store import ensure


def _recipe() -> str:
    """Changes whenever the models might: with the zoo's code, its photographs, or the libraries."""
    digest = hashlib.sha256()
    for path in sorted(Path(zoo.__file__).parent.rglob("*")):
        if path.suffix in (".py", ".jpg"):
            digest.update(path.read_bytes())
    for library in ("numpy", "onnx", "onnxruntime", "pillow", "torch"):
        digest.update(version(library).encode())
    return digest.hexdigest()[:16]


@pytest.fixture(scope="session")
def models(pytestconfig: pytest.Config) -> Path:
    """A directory with all eight."""
    cache = pytestconfig.cache
    assert cache is not None
    directory = cache.mkdir(f"models-{_recipe()}")
    for outdated in directory.parent.glob("models-*"):
        if outdated != directory:
            shutil.rmtree(outdated)
    started = time.monotonic()
    ensure(directory)
    print(f"models ready after {time.monotonic() - started:.1f} s in {directory}")
    return directory


@pytest.fixture(scope="session")
def photographs() -> list[Picture]:
    return load_pictures().pictures
