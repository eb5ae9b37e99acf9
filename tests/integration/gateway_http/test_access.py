"""Tokens, their expiry, pages of other sites, and TLS."""

from __future__ import annotations

import asyncio
import http.client
import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tercet.process.errors import Misconfigured
from tercet.services.gateway.http.access_control import Tokens
from tercet.services.gateway.http.limits import Limits
from tercet.services.gateway.http.server import server
from tests.gateway_clients import FORM
from tests.integration.gateway_http.conftest import running_front
from tests.integration.gateway_http.test_formats import PICTURE, form

LIST = """# applications of the house
current
still-good 2999-01-01T00:00:00+00:00
over 2020-01-01  # the old camera
"""


@pytest.fixture
def tokens(tmp_path: Path) -> Path:
    file = tmp_path / "tokens"
    file.write_text(LIST)
    return file


async def test_a_token_is_needed_where_one_is_set(tokens: Path) -> None:
    async with running_front(tokens=Tokens("set", tokens)) as gateway:
        expected = {
            "": 401, "Bearer ": 401, "Bearer wrong": 401, "Bearer over": 401, "Basic set": 401,
            "Bearer set": 200, "Bearer current": 200, "bearer still-good": 200,
        }  # fmt: skip
        for authorization, status in expected.items():
            reply = await gateway.ask("POST", "/v1/infer", PICTURE, Authorization=authorization)
            assert reply.status == status, authorization
        expired = await gateway.ask("POST", "/v1/infer?api_key=over", PICTURE)
        assert expired.json == {"error": "the token has expired"}
        assert expired.headers["www-authenticate"] == "Bearer"
        assert (await gateway.ask("POST", "/v1/infer?api_key=set", PICTURE)).status == 200
        assert (await gateway.ask("GET", "/v2/models/scenes")).status == 401
        assert (await gateway.ask("GET", "/v2/health/ready")).status == 200


async def test_the_token_of_an_nvr_is_a_field_of_its_form(tokens: Path) -> None:
    async with running_front(tokens=Tokens(file=tokens)) as gateway:
        for key, status in (("current", 200), ("over", 401), ("", 401)):
            body = form(api_key=key)
            reply = await gateway.ask("POST", "/v1/vision/scene", body, Content_Type=FORM)
            assert (reply.status, reply.json["success"]) == (status, status == 200)


async def test_a_token_is_withdrawn_by_removing_its_line(tokens: Path) -> None:
    async with running_front(tokens=Tokens(file=tokens)) as gateway:
        assert (await gateway.ask("POST", "/v1/infer?api_key=current", PICTURE)).status == 200
        await asyncio.to_thread(tokens.write_text, "next\n")
        assert (await gateway.ask("POST", "/v1/infer?api_key=current", PICTURE)).status == 401
        assert (await gateway.ask("POST", "/v1/infer?api_key=next", PICTURE)).status == 200
        await asyncio.to_thread(tokens.unlink)
        assert (await gateway.ask("POST", "/v1/infer?api_key=next", PICTURE)).status == 401


def test_a_token_file_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="TERCET_GATEWAY_TOKEN_FILE"):
        Tokens(file=tmp_path / "missing")
    (tmp_path / "wrong").write_text("token soon\n")
    with pytest.raises(Misconfigured, match="line 1: 'soon' is no time"):
        Tokens(file=tmp_path / "wrong")


async def test_a_page_of_another_site_is_refused_unless_its_origin_is_allowed() -> None:
    async with running_front() as gateway:
        reply = await gateway.ask("POST", "/v1/infer", PICTURE, Origin="https://other.example")
        assert reply.status == 403
    async with running_front(origins=["https://home.example"]) as gateway:
        allowed = await gateway.ask("POST", "/v1/infer", PICTURE, Origin="https://home.example")
        assert allowed.status == 200
        assert allowed.headers["access-control-allow-origin"] == "https://home.example"
        other = await gateway.ask("POST", "/v1/infer", PICTURE, Origin="https://other.example")
        assert other.status == 403
        asked = await gateway.ask(
            "OPTIONS", "/v1/infer", None,
            Origin="https://home.example", Access_Control_Request_Method="POST",
            Access_Control_Request_Headers="x-deadline-ms",
        )  # fmt: skip
        assert asked.status == 200


async def test_tls(tmp_path: Path) -> None:
    certificate = await asyncio.to_thread(self_signed, tmp_path)
    trusted = ssl.create_default_context(cafile=str(certificate))
    async with running_front(certificate=certificate) as gateway:
        reply = await gateway.ask("POST", "/v1/infer", PICTURE, tls=trusted)
        assert reply.status == 200
        with pytest.raises((ConnectionError, http.client.HTTPException)):
            await gateway.ask("POST", "/v1/infer", PICTURE)


def self_signed(folder: Path) -> Path:
    """A certificate of 127.0.0.1 and its key in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "gateway")])
    here = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(here, critical=False)
        .sign(key, hashes.SHA256())
    )
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain)
    file = folder / "both.pem"
    file.write_bytes(certificate.public_bytes(pem) + secret)
    return file


def test_tls_files_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    (tmp_path / "certificate.pem").write_text("none")
    for name in ("missing.pem", "certificate.pem"):
        with pytest.raises(Misconfigured, match="TERCET_GATEWAY_TLS"):
            server(_unused, Limits(), tmp_path / name)


async def _unused(*_: object) -> None:
    raise AssertionError
