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
    if root.exists() and not root.is_dir():
        raise ModelError(f"model directory {root}: not a folder")
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


def only(root: Path, name: str | None = None) -> Path:
    """The directory of the family that is meant: named, the root's own, or the only one.

    The root itself where that leaves nothing or several. Raises `ModelError` for an unknown name.
    """
    found = directories(root)
    if name is not None:
        return chosen(root, [name])[0].directory
    inside = [*found.values()]
    return inside[0] if len(inside) == 1 else root


def chosen(root: Path, names: Sequence[str] = ()) -> list[Manifest]:
    """The manifests of these families. Raises `ModelError`, also for none.

    Without names: the root's own family, or all of its sub-directories. Files are not verified.
    """
    found = directories(root)
    names = names or [name for name, place in found.items() if place == root]
    unknown = [name for name in names if name not in found]
    if unknown or not found:
        offered = ", ".join(found) or "no family"
        raise ModelError(f"{root} has {offered}" + "".join(f", not {n!r}" for n in unknown[:1]))
    return [manifest.read(found[name]) for name in names or found]


def check_distinct(manifests: Sequence[Manifest]) -> None:
    """Raise `ModelError` unless every variant's name belongs to one family.

    Options name variants only, and one node may run several families.
    """
    owner: dict[str, Manifest] = {}
    for one in manifests:
        for variant in one.variants:
            other = owner.setdefault(variant, one)
            if other is not one:
                raise ModelError(
                    f"families {other.name} and {one.name} both have a variant {variant!r}:"
                    " rename one (add it by another name, then remove this one)"
                )
