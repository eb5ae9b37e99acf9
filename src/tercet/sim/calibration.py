"""Response-time parameters of the paper's platform, read from `paper/calibration.json`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from tercet.rl.options import PAPER_VARIANTS


@dataclass(frozen=True, slots=True)
class Calibration:
    """Milliseconds that reproduce the averages of the paper's Table V within 3 %."""

    local: tuple[float, ...]
    """Local response per variant d0..d7."""
    edge: tuple[float, float]
    """Fixed part, and part per request in service."""
    cloud: tuple[float, float]
    weak_device: float
    """Added to every request of a device whose link is weak."""
    weak_edge: float
    """Added to every request behind an edge whose link is weak."""
    sigma: float
    """Log-normal noise, mean one."""


@cache
def calibration() -> Calibration:
    """Read the packaged file once."""
    data = json.loads(
        (files("tercet.sim") / "paper_data" / "calibration.json").read_text(encoding="utf-8")
    )
    return Calibration(
        local=tuple(float(data["local"][v]) for v in PAPER_VARIANTS),
        edge=(float(data["edge"]["fixed"]), float(data["edge"]["per_request"])),
        cloud=(float(data["cloud"]["fixed"]), float(data["cloud"]["per_request"])),
        weak_device=float(data["weak_device"]),
        weak_edge=float(data["weak_edge"]),
        sigma=float(data["noise"]["sigma"]),
    )
