"""The families that Tercet can build by itself, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tercet.models import manifest, paper_family
from tercet.models.imagenet import family as imagenet
from tercet.models.manifest import PAPER_FAMILY, Manifest
from tercet.models.model_directory import Progress

DEFAULT = "imagenet"
"""What runs where no family is named and none is there."""

BUILDERS: Mapping[str, Callable[[Path, Progress | None], Manifest]] = {
    PAPER_FAMILY: paper_family.complete,
    DEFAULT: imagenet.ensure,
}
"""Family to what builds it in its directory and verifies it; slow imports come with the work."""


def offered(there: Mapping[str, Path], is_chosen: bool) -> Sequence[str]:
    """The families to offer when none is named, of those in a model directory, by name.

    All of them, but the paper's untrained one only if it is all that a chosen directory has.
    Without any: the default, which is to be built.
    """
    meaningful = [name for name, directory in there.items() if not _is_untrained(name, directory)]
    return meaningful or ([*there] if there and is_chosen else [DEFAULT])


def _is_untrained(name: str, directory: Path) -> bool:
    return name == PAPER_FAMILY and manifest.read(directory).untrained
