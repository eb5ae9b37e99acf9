"""A secured site and its real broker, with TLS, nkeys and rights."""

from __future__ import annotations

import json
import signal
import ssl
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import nats
import pytest
from nats.aio.client import Client

from tercet.messaging import broker
from tercet.messaging.bus import connect
from tercet.messaging.declare import declare
from tercet.messaging.rights import inbox
from tercet.messaging.security import site as sites
from tercet.messaging.security.site import Site
from tercet.process.child import with_parent_death_signal
from tercet.process.settings import BusSettings

BASE = """
listen: "127.0.0.1:-1"
jetstream { store_dir: %s, sync_interval: always }
include "site/hosts/hub/broker/security.conf"
"""


class Secured:
    """A broker that accepts the users of its site."""

    def __init__(self, directory: Path) -> None:
        self.folder, self.directory = directory / "site", directory
        hub = self.folder / "hosts" / "hub" / "broker"
        self.site = sites.create(self.folder, "cloud", ["127.0.0.1"], str(hub))
        self.site.add_node(self.folder, "edge", "edge-1")
        for device in ("cam-1", "cam-2"):
            self.site.add_node(self.folder, "device", device, "edge-1")
        self.site.limit("cam-2", ["L", "E"])
        self.site.save(self.folder)
        configuration = directory / "nats.conf"
        configuration.write_text(BASE % json.dumps(str(directory / "store")))
        self.process = subprocess.Popen(
            with_parent_death_signal(
                [
                    broker.executable(),
                    f"--config={configuration}",
                    f"--ports_file_dir={directory}",
                    f"--log={directory}/nats.log",
                ]
            ),
        )
        ports = directory / f"nats-server_{self.process.pid}.ports"
        deadline = time.monotonic() + 10
        while not (ports.exists() and ports.stat().st_size):
            if time.monotonic() > deadline or self.process.poll() is not None:
                pytest.fail((directory / "nats.log").read_text())
            time.sleep(0.01)
        self.url = json.loads(ports.read_text())["nats"][0].replace("nats://", "tls://")

    def reload(self) -> None:
        """Reload as the config reloader does, but by a signal."""
        self.process.send_signal(signal.SIGHUP)

    def key(self, user: str) -> Path:
        """The file of a user's key, as the site is on disk now."""
        return Site.load(self.folder).key(self.folder, user)

    def settings(self, user: str, **more: object) -> BusSettings:
        return BusSettings(
            bus_url=self.url,
            bus_credentials=self.key(user),
            bus_ca=self.folder / "ca" / "ca.pem",
            connect_patience=5,
            **more,
        )

    @asynccontextmanager
    async def client(self, user: str) -> AsyncIterator[tuple[Client, list[str]]]:
        """A NATS client of a user, and the errors by which the broker refuses it something."""
        refused: list[str] = []

        async def on_error(error: Exception) -> None:
            refused.append(str(error))

        client = await nats.connect(
            self.url,
            nkeys_seed=str(self.key(user)),
            tls=ssl.create_default_context(cafile=str(self.folder / "ca" / "ca.pem")),
            inbox_prefix=inbox(user),
            error_cb=on_error,
            allow_reconnect=False,
        )
        try:
            yield client, refused
        finally:
            await client.close()


@pytest.fixture
def secured(tmp_path: Path) -> Iterator[Secured]:
    secured = Secured(tmp_path)
    yield secured
    secured.process.terminate()
    secured.process.wait(timeout=5)


@pytest.fixture
async def declared(secured: Secured) -> Secured:
    """The same, with streams declared by the user with the right to do so."""
    async with connect(secured.settings("topology"), "topology") as bus:
        await declare(bus.js)
    return secured
