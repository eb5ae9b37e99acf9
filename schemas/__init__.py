"""The words: every message that crosses the bus, one subject per class and per file."""

from schemas.catalogue import CATALOGUE
from schemas.message import Message

__all__ = ["CATALOGUE", "Message"]
