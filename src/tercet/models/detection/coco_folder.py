"""A COCO-style folder: pictures, and a JSON file that lists their objects.

folder/annotations/instances_val.json   or folder/_annotations.coco.json, or any one .json
folder/images/*.jpg                     or folder/val/*.jpg, or beside the JSON file
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tercet.models import labels
from tercet.models.errors import ImageError, ModelError, one_line

Annotations = dict[str, Any]
"""As COCO's JSON has them: `images`, `annotations`, `categories`."""


@dataclass(frozen=True, slots=True)
class LabelledPicture:
    """One picture of the folder."""

    identity: int
    path: Path
    size: tuple[int, int] | None
    """Width and height that the boxes refer to; None where the file does not state them."""


@dataclass(frozen=True, slots=True)
class CocoFolder:
    """Pictures and their objects."""

    name: str
    annotations: Annotations
    pictures: Sequence[LabelledPicture]

    def categories(self, names: Sequence[str], variant: str) -> Mapping[int, int]:
        """Position of each label's class to its category; `ModelError` for an unknown category."""
        positions = {labels.normalised_name(name): index for index, name in enumerate(names)}
        found = {}
        for category in self.annotations["categories"]:
            position = positions.get(labels.normalised_name(str(category["name"])))
            if position is not None:
                found[position] = int(category["id"])
            elif any(o["category_id"] == category["id"] for o in self.annotations["annotations"]):
                raise ModelError(
                    f"category {category['name']!r} is no class of {variant}: its {len(names)}"
                    f" labels begin with {names[0]!r}"
                )
        return found


def read(data: Path) -> CocoFolder:
    """Read a folder or its JSON file; `ImageError` names what is wrong. Pictures are not read."""
    file = data if data.is_file() else _annotation_file(data)
    try:
        content = json.loads(file.read_bytes())
        pictures = [_picture(one, file, data) for one in content["images"]]
        objects = [_object(number, one) for number, one in enumerate(content["annotations"], 1)]
        listed = [{"id": int(c["id"]), "name": str(c["name"])} for c in content["categories"]]
    except OSError as error:
        raise ImageError(f"labelled folder: {file} cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        what = f"{error} is missing" if isinstance(error, KeyError) else one_line(error)
        raise ImageError(f"labelled folder: {file} is not COCO's JSON: {what}") from None
    if not objects or not pictures:
        raise ImageError(f"labelled folder: {file} lists no objects")
    annotations = {"images": content["images"], "annotations": objects, "categories": listed}
    return CocoFolder(data.resolve().name or str(data), annotations, pictures)


def _annotation_file(folder: Path) -> Path:
    if not folder.is_dir():
        what = "is no folder and no file" if folder.exists() else "does not exist"
        raise ImageError(f"labelled folder {folder} {what}")
    inside = [path for place in (folder, folder / "annotations") for path in place.glob("*.json")]
    named = [path for path in inside if path.name.startswith(("instances", "_annotations"))]
    found = sorted(named or inside)
    if len(found) != 1:
        listed = ", ".join(path.name for path in found) or "none"
        raise ImageError(
            f"labelled folder {folder}: one JSON file with COCO's annotations is expected, there"
            f" is {listed}: give the file itself"
        )
    return found[0]


def _picture(one: Mapping[str, Any], file: Path, data: Path) -> LabelledPicture:
    name = str(one["file_name"])
    root = file.parent.parent if file.parent.name == "annotations" else file.parent
    subset = file.stem.removeprefix("instances_")
    places = [root / name, root / "images" / name, root / subset / name, data / name]
    path = next((place for place in places if place.is_file()), places[0])
    sized = "width" in one and "height" in one
    size = (int(one["width"]), int(one["height"])) if sized else None
    return LabelledPicture(int(one["id"]), path, size)


def _object(number: int, one: Mapping[str, Any]) -> dict[str, Any]:
    """An object with all fields that are counted with; some programs leave out the last ones."""
    x, y, width, height = (float(value) for value in one["bbox"])
    return {
        "id": number,
        "image_id": int(one["image_id"]),
        "category_id": int(one["category_id"]),
        "bbox": [x, y, width, height],
        "area": float(one.get("area", width * height)),
        "iscrowd": int(one.get("iscrowd", 0)),
    }
