"""The words: every message that crosses the bus, one subject per class and per file."""

from tercet.schemas.catalogue import CATALOGUE
from tercet.schemas.message import Message

__all__ = ["CATALOGUE", "Message"]
