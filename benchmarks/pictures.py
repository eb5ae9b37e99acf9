"""Each kind of picture: its label or why it is refused, with the memory and time that it takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PIL import Image

from benchmarks.picture_kinds import harmful, ordinary
from benchmarks.picture_process import PictureProcess
from tercet.models.classifier import Classifier
from tercet.models.images import PHOTOGRAPHS


def measure(variant: str, photo: Path | None, models: Path | None) -> list[dict[str, Any]]:
    """A row per kind. Each is decoded in a process of its own, and classified here."""
    picture = Image.open(photo or PHOTOGRAPHS / "grace_hopper.jpg").convert("RGB")
    classifier = Classifier(models)
    rows = []
    for kind, content in {**ordinary(picture), **harmful(picture)}.items():
        process = PictureProcess()
        found = process.decode(content)
        if process.close() != 0:
            raise OSError("the process that decodes pictures has ended")
        label, probability = "", 0.0
        if found["refused"] is None:
            label, probability = classifier.classify(content, variant).labels[0]
        rows.append({"kind": kind, "bytes": len(content), "label": label, **found})
        rows[-1]["probability"] = probability
    return rows


def render(rows: list[dict[str, Any]]) -> str:
    """A Markdown table."""
    lines = ["| kind | kB | label, or why it is refused | peak | time |", "|---|---|---|---|---|"]
    for row in rows:
        label = row["refused"] or f"{row['label']} {row['probability']:.2f}"
        lines.append(
            f"| {row['kind']} | {row['bytes'] / 1000:,.0f} | {label} | {row['peak_mb']:.0f} MB "
            f"| {row['seconds'] * 1000:.0f} ms |"
        )
    return "\n".join(lines)
