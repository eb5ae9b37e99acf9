"""What a device may be assigned: a variant at a tier, and the options that the paper offers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, cast

Tier = Literal["L", "E", "C"]
"""Where a request runs: on the device itself (local), on its home edge, in the cloud."""


@dataclass(frozen=True, slots=True, order=True)
class Option:
    """The assignment of one device: a variant and a tier, written `d3@L`."""

    variant: str
    tier: Tier

    def __str__(self) -> str:
        return f"{self.variant}@{self.tier}"

    @classmethod
    def parse(cls, text: str) -> Option:
        """Read `d3@L`; raises ValueError naming the text when it is not of that form."""
        variant, at, tier = text.partition("@")
        if not variant or not at or tier not in ("L", "E", "C"):
            raise ValueError(f"not an option: {text!r} (expected e.g. d3@L, d0@E, d0@C)")
        return cls(variant, cast(Tier, tier))


PAPER_VARIANTS = tuple(f"d{k}" for k in range(8))
"""MobileNetV1 at four widths, fp32 then int8 (paper, Table III)."""

OPTIONS = (*(Option(v, "L") for v in PAPER_VARIANTS), Option("d0", "E"), Option("d0", "C"))
"""The paper's ten options: any variant locally; edge and cloud always run d0 (section II-B)."""

PAPER_ACCURACY = dict(
    zip(PAPER_VARIANTS, (89.9, 88.2, 84.9, 74.2, 88.9, 87.0, 83.2, 72.8), strict=True)
)
"""Top-5 accuracy in percent (paper, Table III)."""
