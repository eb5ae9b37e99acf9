"""Messages: one subject is one class and one file.

`catalogue` lists them all, `json/` holds their JSON Schemas, `asyncapi.yaml` describes the bus for
external clients. `fleet`, `window`, `lease` and `versions` hold what has no subject of its own.
"""

from tercet.schemas.catalogue import CATALOGUE
from tercet.schemas.message import Message

__all__ = ["CATALOGUE", "Message"]
