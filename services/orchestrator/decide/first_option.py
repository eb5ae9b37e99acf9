"""The option of a row before anything was decided for it."""

from __future__ import annotations

from tercet.experience.translation import platform_of
from tercet.schemas.fleet import Fleet


def first_option(fleet: Fleet, row: str) -> str:
    """Its most accurate option, on its own node if there is one. ValueError if it has none."""
    platform = platform_of(fleet)
    offered = [option for option in platform.options if platform.offers(row, option)]
    if not offered:
        raise ValueError(f"{row} has no option")
    local = [option for option in offered if option.tier == "L"]
    return str(max(local or offered, key=lambda option: platform.accuracy[option.variant]))
