"""A user with all rights, for a test that runs a whole fleet on one connection."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import nkeys

USERS = "jetstream: enabled\n    users: [\n"


def add_user(folder: Path, brokers: Iterable[str]) -> Path:
    """Add it to the users of a site's brokers; return the file of its key."""
    seed = nkeys.encode_seed(os.urandom(32), nkeys.PREFIX_BYTE_USER)
    key = folder / "fleet.nk"
    key.write_bytes(seed)
    public = nkeys.from_seed(bytearray(seed)).public_key.decode()
    for name in brokers:
        enforced = folder / "hosts" / name / "broker" / "security.conf"
        before, after = enforced.read_text().split(USERS)
        enforced.write_text(f"{before}{USERS}      {{ nkey: {public} }}\n{after}")
    return key
