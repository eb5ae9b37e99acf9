"""The warden: tells its broker to read its users again when their file has changed.

`python -m tercet.messaging.config_reloader` runs beside each broker, as the user `warden` of the system account. It
needs to see the broker's `security.conf` (TERCET_WATCH), not the broker's process: adding,
revoking and rotating keys disturbs nobody else.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from pathlib import Path

from nats.errors import NoRespondersError
from pydantic import Field

from tercet.messaging.app import run
from tercet.messaging.bus import Bus
from tercet.messaging.nats_errors import NATS_ERRORS
from tercet.process import log
from tercet.process.settings import BusSettings
from tercet.process.waiting import within

_log = log.get(__name__)


class Settings(BusSettings):
    """What the warden can be told."""

    watch: Path = Path("/etc/nats/security/security.conf")
    """The file whose change makes the broker reload."""
    look_period: float = Field(1.0, gt=0)
    """Seconds between two looks; a revoked user is out soon after."""


async def main(bus: Bus, settings: Settings, stop: asyncio.Event) -> None:
    """Watch until `stop`. What changed while the warden was away is reloaded at start."""
    known = None
    while not stop.is_set():
        found = await asyncio.to_thread(_fingerprint, settings.watch)
        if found is not None and found != known and await reload(bus):
            known = found
            bus.ready = True
        await within(stop, settings.look_period)


async def reload(bus: Bus) -> bool:
    """Have the broker read its configuration again; False when it did not, with the reason logged.

    A configuration that cannot be read is refused by the broker, which goes on with the old one.
    """
    try:
        told = await bus.client.request("$SYS.REQ.USER.INFO", timeout=2)
        name = json.loads(told.data)["server"]["id"]  # The one that is connected to, not its peers.
        answer = await bus.client.request(f"$SYS.REQ.SERVER.{name}.RELOAD", timeout=5)
        refused = json.loads(answer.data).get("error")
    except (*NATS_ERRORS, NoRespondersError, ValueError, KeyError) as error:
        _log.warning("not reloaded", reason=repr(error))
        return False
    if refused:
        _log.error("the broker refuses its new users", reason=str(refused.get("description")))
        return False
    _log.info("reloaded")
    return True


def _fingerprint(path: Path) -> str | None:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        _log.error("cannot be read", file=str(path), reason=str(error))
        return None


if __name__ == "__main__":
    run("warden", main, Settings)
