"""The families of a models directory, by name: the directory itself, and its sub-directories.

models/
    manifest.json             a family of its own, as older versions laid it out; may be missing
    imagenet/manifest.json    one sub-directory per family
    doors/manifest.json
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tercet.models import manifest
from tercet.models.errors import ModelError
from tercet.models.manifest import Manifest


def directories(root: Path) -> dict[str, Path]:
    """Family to its directory, the root's own family first. Raises `ModelError`.

    Manifests are parsed, files are not verified.
    """
    inside = sorted(path.parent for path in root.glob(f"*/{manifest.FILE_NAME}"))
    own = [root] if (root / manifest.FILE_NAME).exists() else []
    found: dict[str, Path] = {}
    for directory in (*own, *inside):
        name = manifest.read(directory).name
        if name in found:
            raise ModelError(f"{found[name]} and {directory} are both families named {name!r}")
        found[name] = directory
    return found


def directory(root: Path, name: str) -> Path:
    """The directory of a family that may not exist yet: its own, or a new one in `root`."""
    return directories(root).get(name, root / name)


def chosen(root: Path, names: Sequence[str] = ()) -> list[Manifest]:
    """The manifests of these families, all without names. Raises `ModelError`, also for none.

    Files are not verified.
    """
    found = directories(root)
    unknown = [name for name in names if name not in found]
    if unknown or not found:
        offered = ", ".join(found) or "no family"
        raise ModelError(f"{root} has {offered}" + f", not {unknown[0]!r}" * bool(unknown))
    return [manifest.read(found[name]) for name in names or found]
