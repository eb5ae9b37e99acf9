"""A chaos run as Markdown: checks, faults, reconciliation, memory."""

from __future__ import annotations

from typing import Any

from benchmarks.chaos.memory import LONG_MINUTES

RECONCILIATION = {
    "acknowledged": "outcomes acknowledged to the independent devices",
    "lost": "of these lost",
    "overheard": "outcomes observed, of all devices",
    "lost_overheard": "of these not stored, though their device was never killed",
    "repeated_on_purpose": "published again on purpose after they were acknowledged",
    "doubled": "ids stored twice",
    "rounds": "rounds in the experience stream",
    "rounds_doubled": "ids, rounds or causes of experience that are there twice",
    "wrong_in_effect": "outcomes of the independent devices in effect with another value",
    "asked": "requests of the independent devices and clients",
    "answered": "answered as decided",
    "fell_back": "fell back, counted",
    "late": "later than their limit",
    "slowest_s": "slowest, s",
    "device_requests": "requests of the system's own devices",
    "device_fallbacks": "fell back, counted",
    "device_unanswered": "decisions without an outcome",
    "device_excused": "the same, of a device that was killed or stopped meanwhile",
    "device_late": "later than their limit",
    "device_slowest_s": "slowest, s",
}


def render(found: dict[str, Any]) -> str:
    """Markdown."""
    kinds = len({(f["kind"], f["target"]) for f in found["faults"]})
    lines = [
        f"Seed {found['seed']}: {len(found['faults'])} faults ({kinds} different) in "
        f"{found['minutes']} minutes; service recovered {found['median_back_s']:.1f} s after a "
        f"fault's end (median; worst {found['worst_back_s']:.1f} s).",
        "",
        *(f"- {'yes' if good else '**NO**'}: {what}" for what, good in found["verdicts"].items()),
        *(f"- {reason}" for reason in found["crashed"]),
    ]
    if not found["disk"]:
        lines.append("- left out: a full disk (a tmpfs could not be mounted here)")
    lines += [
        "",
        "| at, s | fault | target | lasted, s | recovered after, s |",
        "|---|---|---|---|---|",
    ]
    for f in found["faults"]:
        back = "not" if f["back"] is None else f["back"]
        lines.append(f"| {f['at']} | {f['fault']} | {f['target']} | {f['lasted']} | {back} |")
    lines += ["", "| reconciliation | |", "|---|---|"]
    lines += [f"| {label} | {found['books'][key]} |" for key, label in RECONCILIATION.items()]
    lines += ["", "| process | lives | of these long enough to assess | most, MiB |"
              " slope, MiB an hour | in thirds |", "|---|---|---|---|---|---|"]  # fmt: skip
    for row in found["memory"]:
        slope = "not assessed" if row["slope_mib_h"] is None else row["slope_mib_h"]
        grows = " **grows**" if row["grows"] else ""
        parts = " / ".join(str(part) for part in row["parts_mib_h"] or ())
        sizes = f"{row['process']} | {row['lives']} | {row['judged']} | {row['most_mib']}"
        lines.append(f"| {sizes} | {slope}{grows} | {parts} |")
    judged = sum(row["judged"] > 0 for row in found["memory"])
    lines += [
        "",
        f"Memory was assessed in {judged} of {len(found['memory'])} processes; the others did not "
        f"run for {LONG_MINUTES:.0f} minutes (`--only clock` ends no process).",
    ]
    lines += ["", f"Again: `python -m benchmarks chaos {found['again']}`"]
    return "\n".join(lines)
