"""The style of all figures, with colours for colour-blind readers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito's, in the order in which lines take them; `C0` to `C6` in matplotlib."""

DPI = 110

RULES: dict[str, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": "#666666",
    "axes.grid": True,
    "axes.labelsize": 9,
    "axes.linewidth": 0.8,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 10,
    "figure.dpi": DPI,
    "figure.facecolor": "white",
    "font.size": 9,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.6,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "lines.linewidth": 1.3,
    "savefig.bbox": "tight",
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
}


def drawing() -> Any:
    """Return matplotlib's pyplot, in our style and without a screen."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    apply()
    return pyplot


def apply() -> None:
    """Set the style alone; in a notebook, which has a screen of its own."""
    import matplotlib
    from cycler import cycler

    rules: Any = matplotlib.rcParams
    rules.update(RULES)
    rules["axes.prop_cycle"] = cycler(color=COLOURS)


def save(figure: Any, path: Path) -> None:
    """Write a figure, the same bytes for the same figure."""
    figure.savefig(path, dpi=DPI, metadata={"Software": None})
