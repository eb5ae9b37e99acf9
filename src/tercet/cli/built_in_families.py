"""The families that Tercet can build by itself, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from tercet.models import paper_family
from tercet.models.imagenet import family as imagenet
from tercet.models.manifest import PAPER_FAMILY, Manifest
from tercet.models.model_directory import Progress

DEFAULT = PAPER_FAMILY
"""What runs where no family is named and none is there."""

BUILDERS: Mapping[str, Callable[[Path, Progress | None], Manifest]] = {
    PAPER_FAMILY: paper_family.complete,
    "imagenet": imagenet.ensure,
}
"""Family to what builds it in its directory and verifies it; slow imports come with the work."""
