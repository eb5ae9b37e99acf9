"""Have the broker reload its users when their file has changed.

`python -m tercet.messaging.config_reloader` runs beside each broker, as the user `warden` of the
system account. It reads the broker's `security.conf` (TERCET_WATCH) and needs no access to the
broker's process. Adding, revoking and rotating keys interrupts no other client.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from pathlib import Path

from nats.errors import NoRespondersError
from pydantic import Field

from tercet.messaging.bus import Bus
from tercet.messaging.nats_errors import NATS_ERRORS
from tercet.messaging.service_runner import run
from tercet.process import log
from tercet.process.settings import BusSettings
from tercet.process.waiting import within

_log = log.get(__name__)


class ConfigReloaderSettings(BusSettings):
    """Settings of the config reloader."""

    watch: Path = Path("/etc/nats/security/security.conf")
    """The file whose change makes the broker reload."""
    look_period: float = Field(1.0, gt=0)
    """Seconds between two checks; a revoked user is disconnected soon after."""


async def main(bus: Bus, settings: ConfigReloaderSettings, stop: asyncio.Event) -> None:
    """Watch the file until `stop`; at start, reload once, for changes made before."""
    known = None
    while not stop.is_set():
        found = await asyncio.to_thread(_fingerprint, settings.watch)
        if found is not None and found != known and await reload(bus):
            known = found
            bus.ready = True
        await within(stop, settings.look_period)


async def reload(bus: Bus) -> bool:
    """Have the broker reload its configuration; return False, and log why, when it did not.

    The broker rejects an invalid configuration and continues with the old one.
    """
    try:
        user = await bus.client.request("$SYS.REQ.USER.INFO", timeout=2)
        # Of the server that we are connected to, not of others of its cluster.
        name = json.loads(user.data)["server"]["id"]
        answer = await bus.client.request(f"$SYS.REQ.SERVER.{name}.RELOAD", timeout=5)
        rejected = json.loads(answer.data).get("error")
    except (*NATS_ERRORS, NoRespondersError, ValueError, KeyError) as error:
        _log.warning("configuration not reloaded", reason=repr(error))
        return False
    if rejected:
        _log.error("configuration rejected", reason=str(rejected.get("description")))
        return False
    _log.info("configuration reloaded")
    return True


def _fingerprint(path: Path) -> str | None:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        _log.error("configuration file unreadable", file=str(path), reason=str(error))
        return None


if __name__ == "__main__":
    run("warden", main, ConfigReloaderSettings)
