"""Authentication of a connection: nkey or credentials, TLS, and the private reply inbox."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

from tercet.messaging.rights import inbox
from tercet.process.errors import Misconfigured
from tercet.process.settings import BusSettings

SEED = b"S"
"""First letter of every nkey seed; a credentials file begins with dashes."""
SHARED = "_INBOX"
"""Reply inbox where the broker enforces no permissions."""


def identity(settings: BusSettings) -> dict[str, Any]:
    """Options of a connection; raises Misconfigured naming the file that cannot be used."""
    options: dict[str, Any] = {"inbox_prefix": _inbox(settings)}
    if settings.bus_credentials is not None:
        seed = _read(settings.bus_credentials, "TERCET_BUS_CREDENTIALS").lstrip().startswith(SEED)
        kind = "nkeys_seed" if seed else "user_credentials"
        options[kind] = str(settings.bus_credentials)
    if settings.bus_ca is not None:
        _read(settings.bus_ca, "TERCET_BUS_CA")
        try:
            options["tls"] = ssl.create_default_context(cafile=str(settings.bus_ca))
        except ssl.SSLError as error:
            raise Misconfigured(f"TERCET_BUS_CA: {settings.bus_ca}: {error}") from error
    return options


def _inbox(settings: BusSettings) -> str:
    """Return the inbox for replies; of an nkey user, one that only this user may subscribe to."""
    file = settings.bus_credentials
    own = inbox(file.stem) if file is not None and file.suffix == ".nk" else SHARED
    return settings.inbox_prefix or own


def _read(path: Path, variable: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise Misconfigured(f"{variable}: {path}: {error.strerror}") from error
