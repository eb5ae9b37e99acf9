"""The variants that a node announces, as far as options can be made of them."""

from __future__ import annotations

import re

from tercet.schemas.capability import Capability

VARIANT_NAME = re.compile(r"[A-Za-z0-9_-]{1,32}")
"""What can be the variant of an option, `variant@tier`."""
MAX_VARIANTS = 64
"""Variants of one node that are decided on: what an outsider announces is not trusted."""


def variants_of(node: Capability) -> list[str]:
    """The variants of a node that can be decided on, in order."""
    return [v for v in sorted(node.accuracy_pct) if VARIANT_NAME.fullmatch(v)][:MAX_VARIANTS]
