"""`tercet models build`: the eight variants from a seed, where they are missing."""

from __future__ import annotations

from tercet.cli.models.common import AsJson, Models, described, directory, overview, show, working
from tercet.models import paper_family

EPILOG = "Example: [bold]tercet models build --models ./models[/]. Twice builds nothing new."


def build(models: Models = None, as_json: AsJson = False) -> None:
    """Build what is missing: real speed, untrained weights from a seed. Same seed, same bytes."""
    with working("building") as progress:
        manifest = paper_family.complete(directory(models), progress)
    note = f"{manifest.directory}"
    if manifest.untrained:
        note += ": weights are untrained; import or fit your own (tercet models --help)"
    show(as_json, described(manifest), overview(manifest), note)
