"""`tercet models list`: the families of a model directory."""

from __future__ import annotations

from tercet.cli.models.common import AsJson, Listing, Models, directory, show, working
from tercet.models import families
from tercet.models.manifest import UNTRAINED, Manifest

EPILOG = "Example: [bold]tercet models list --json[/]."


def list_families(models: Models = None, as_json: AsJson = False) -> None:
    """Name each family, its task and its variants."""
    with working("reading"):
        found = families.chosen(directory(models))
    columns = ("family", "task", "variants", "best %", "metric", "labels", "directory")
    whole = {m.name: {"directory": str(m.directory), **m.model_dump(mode="json")} for m in found}
    show(as_json, whole, Listing("families", columns, [_row(m) for m in found]))


def _row(manifest: Manifest) -> tuple[object, ...]:
    entries = manifest.variants
    best = max(entries.values(), key=lambda e: e.accuracy_pct, default=None)
    names = manifest.labels(next(iter(entries))) if entries else ()
    untrained = any(e.weights == UNTRAINED for e in entries.values())
    return (
        manifest.name,
        manifest.task,
        ", ".join(entries),
        "" if best is None else f"{best.accuracy_pct:g}" + ", of trained weights" * untrained,
        "" if best is None else best.metric or "",
        f"{len(names)}" + ", without meaning: untrained" * untrained,
        manifest.directory,
    )
