"""The users and the brokers of a site."""

from __future__ import annotations

from pydantic import BaseModel

from tercet.schemas.fleet import Tier


class User(BaseModel):
    """One identity on the bus."""

    role: str
    public: str
    """Public nkey; `Site.key` is the file of its seed."""
    node: str = ""
    """The node it belongs to; of a broker's own users, the broker."""
    home: str = ""
    allowed: tuple[Tier, ...] = ("L", "E", "C")
    """Tiers that a device may send pictures to."""


class Broker(BaseModel):
    """One broker of the site, and the names by which it is reached."""

    hosts: list[str]
