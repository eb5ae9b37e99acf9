"""Access to a secured broker: without a key or TLS, with a revoked key, with a new one."""

from __future__ import annotations

import asyncio
import os
import ssl
import subprocess
import sys
from collections.abc import Iterator

import nats
import pytest
from nats.errors import Error as NatsError

from tercet.messaging.security.errors import SiteError
from tercet.messaging.security.site import Site
from tests.integration.security.conftest import Secured

RELOAD_TIMEOUT_S = 5.0
"""Seconds in which a revoked user must be disconnected."""


def context(secured: Secured) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(secured.folder / "ca" / "ca.pem"))


async def test_a_client_without_a_key_is_refused(secured: Secured) -> None:
    with pytest.raises(NatsError, match=r"(?i)authorization"):
        await nats.connect(secured.url, tls=context(secured), allow_reconnect=False)


async def test_a_client_without_tls_is_refused(secured: Secured) -> None:
    """A plain-text client receives the broker's greeting, and no more."""
    host, port = secured.url.removeprefix("tls://").rsplit(":", 1)
    reader, writer = await asyncio.open_connection(host, int(port))
    greeting = await reader.readline()
    assert b'"tls_required":true' in greeting
    writer.write(b'CONNECT {"verbose":false}\r\nPING\r\n')
    rest = await asyncio.wait_for(reader.read(), 10)
    assert b"PONG" not in rest
    writer.close()


async def test_another_authority_is_not_trusted(secured: Secured) -> None:
    with pytest.raises((ssl.SSLError, NatsError)):
        await nats.connect(secured.url, tls=ssl.create_default_context(), allow_reconnect=False)


@pytest.fixture
def reloader(secured: Secured) -> Iterator[None]:
    """The config reloader beside the broker."""
    settings = {
        "TERCET_BUS_URL": secured.url,
        "TERCET_BUS_CREDENTIALS": str(secured.key("warden")),
        "TERCET_BUS_CA": str(secured.folder / "ca" / "ca.pem"),
        "TERCET_WATCH": str(secured.folder / "hosts" / "hub" / "broker" / "security.conf"),
        "TERCET_LOOK_PERIOD": "0.2",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "tercet.messaging.config_reloader"],
        env={**os.environ, **settings},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    while "reloaded" not in (line := process.stderr.readline()):
        assert line, "the config reloader exited"
    yield
    process.terminate()
    process.wait(timeout=10)
    process.stderr.close()


async def ended(client: object) -> None:
    while client.is_connected:  # type: ignore[attr-defined]  # noqa: ASYNC110
        await asyncio.sleep(0.02)


async def accepted(secured: Secured, user: str) -> None:
    """Wait until the broker accepts a user."""
    while True:
        try:
            async with secured.client(user) as (client, _):
                await client.flush()
            return
        except (NatsError, OSError):  # Refused, or disconnected during the handshake.
            await asyncio.sleep(0.05)


async def test_a_revoked_device_is_disconnected_and_the_others_stay(
    secured: Secured, reloader: None
) -> None:
    async with (
        secured.client("device-cam-1") as (revoked, _),
        secured.client("device-cam-2") as (other, _),
    ):
        site = Site.load(secured.folder)
        removed = site.revoke(secured.folder, "cam-1")
        assert set(removed) == {"device-cam-1", "monitor-cam-1", "inference-cam-1"}
        site.save(secured.folder)
        await asyncio.wait_for(ended(revoked), RELOAD_TIMEOUT_S)
        await other.flush()
        assert other.is_connected


async def test_a_new_device_is_accepted_and_a_rotated_key_replaces_the_old(
    secured: Secured, reloader: None
) -> None:
    site = Site.load(secured.folder)
    site.add_node(secured.folder, "device", "cam-7", "edge-1")
    site.save(secured.folder)
    await asyncio.wait_for(accepted(secured, "device-cam-7"), RELOAD_TIMEOUT_S)
    async with secured.client("device-cam-7") as (old, _):
        site.rotate(secured.folder, "device-cam-7")
        site.save(secured.folder)
        await asyncio.wait_for(ended(old), RELOAD_TIMEOUT_S)
        await asyncio.wait_for(accepted(secured, "device-cam-7"), RELOAD_TIMEOUT_S)


async def test_a_limit_holds_for_a_device_that_is_connected(
    secured: Secured, reloader: None
) -> None:
    """It stays connected, and its pictures for its edge are accepted on."""
    site = Site.load(secured.folder)
    site.limit("cam-1", ["E", "L"])
    async with secured.client("device-cam-1") as (client, refused):
        site.save(secured.folder)
        async with asyncio.timeout(RELOAD_TIMEOUT_S):
            while not refused:
                for node in ("cloud", "edge-1", "cam-1"):
                    await client.publish(f"inference.v1.{node}", b"picture")
                await client.flush()
                await asyncio.sleep(0.05)
        await client.flush()
    assert all("inference.v1.cloud" in text.lower() for text in refused)


def test_an_impossible_change_is_refused(secured: Secured) -> None:
    with pytest.raises(SiteError, match="no such device"):
        secured.site.limit("edge-1", ["E"])
    with pytest.raises(SiteError, match="X: not a tier; they are L, E, C"):
        secured.site.limit("cam-1", ["L", "X"])
    with pytest.raises(SiteError, match="no such user"):
        secured.site.revoke(secured.folder, "nobody")
    with pytest.raises(SiteError, match="already"):
        secured.site.add(secured.folder, "learner", "learner")
    with pytest.raises(SiteError, match="not a name"):
        secured.site.add_node(secured.folder, "device", "cam.*", "edge-1")


def test_secrets_are_readable_by_their_owner_only(secured: Secured) -> None:
    """By their own mode, or (for files that a container's user reads) by that of their folder."""
    secrets = [*secured.folder.rglob("*.nk"), *secured.folder.rglob("*.key")]
    assert secrets
    for file in secrets:
        closed = [part.stat().st_mode & 0o077 == 0 for part in (file, file.parent)]
        assert any(closed), file
    public = (secured.folder / "site.json").read_text()
    assert not any(file.read_text().strip() in public for file in secured.folder.rglob("*.nk"))


def test_a_host_gets_its_own_keys_and_no_others(secured: Secured) -> None:
    secured.site.add_broker(secured.folder, "edge-1", ["10.0.0.5"])
    secured.site.save(secured.folder)
    hosts = {
        host.name: {file.name for file in host.rglob("*") if file.suffix in (".nk", ".key")}
        for host in (secured.folder / "hosts").iterdir()
    }
    assert hosts["cam-1"] == {"device-cam-1.nk", "monitor-cam-1.nk", "inference-cam-1.nk"}
    jobs = {"warden-edge-1.nk", "topology-edge-1.nk", "server.key"}
    assert hosts["edge-1"] == {"monitor-edge-1.nk", "inference-edge-1.nk", *jobs}
    assert not {"operator.nk", "listener.nk"} & set().union(*hosts.values())


def test_an_edge_that_is_revoked_loses_its_broker_and_its_link(secured: Secured) -> None:
    site, enforced = secured.site, secured.folder / "hosts" / "hub" / "broker" / "security.conf"
    site.add_broker(secured.folder, "edge-1", ["10.0.0.5"])
    site.save(secured.folder)
    link = site.users["broker-edge-1"].public
    assert link in enforced.read_text()
    assert {"broker-edge-1", "monitor-edge-1"} <= set(site.revoke(secured.folder, "edge-1"))
    site.save(secured.folder)
    assert link not in enforced.read_text()
    for name in ("hub", "warden"):
        with pytest.raises(SiteError, match="rotate"):
            site.revoke(secured.folder, name)


async def certificate(secured: Secured) -> str:
    """The certificate that the broker presents now."""
    host, port = secured.url.removeprefix("tls://").rsplit(":", 1)
    reader, writer = await asyncio.open_connection(host, int(port))
    await reader.readline()
    await writer.start_tls(context(secured), server_hostname=host)
    shown: bytes = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    return ssl.DER_cert_to_PEM_cert(shown).strip()


async def test_a_certificate_is_renewed_while_clients_stay_connected(
    secured: Secured, reloader: None
) -> None:
    before = await certificate(secured)
    async with secured.client("device-cam-1") as (client, _):
        site = Site.load(secured.folder)
        renewed = site.renew(secured.folder, "hub").read_text().strip()
        assert renewed != before
        site.save(secured.folder)
        async with asyncio.timeout(RELOAD_TIMEOUT_S):
            while await certificate(secured) != renewed:
                pass
        await client.flush()
        assert client.is_connected
    with pytest.raises(SiteError, match="no such broker"):
        site.renew(secured.folder, "nobody")
