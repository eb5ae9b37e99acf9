"""A site: its users with their roles and public keys, its brokers, and its folder.

`hosts/<name>/` has the keys of one host's processes, the authority's certificate, and `broker/`
where the host runs a broker. `people/` has the keys of persons.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import get_args

import nkeys
from pydantic import BaseModel, Field, ValidationError

from tercet.messaging.parsing import first_error
from tercet.messaging.roles import DEVICE, ROLES
from tercet.messaging.security import authority, broker_configuration
from tercet.messaging.security.errors import SiteError
from tercet.messaging.security.files import write_public, write_secret
from tercet.messaging.security.names import (
    ADDRESS,
    BROKER,
    HUB,
    JOBS,
    LOCAL_NAMES,
    MOUNT_POINT,
    NAME,
    PEOPLE,
    RELOADER,
    STACK_NAMES,
)
from tercet.messaging.security.users import Broker, User
from tercet.schemas.fleet import Tier

PARTS = ("ca", "hosts", "people")
"""Folders of a site."""


class Site(BaseModel):
    """The content of `site.json`."""

    cloud: str = "cloud"
    place: str = MOUNT_POINT
    """Path of each broker's folder as the broker sees it."""
    users: dict[str, User] = Field(default_factory=dict)
    brokers: dict[str, Broker] = Field(default_factory=dict)

    @classmethod
    def load(cls, folder: Path) -> Site:
        """Read a site; raises SiteError when there is none, or its file is malformed."""
        file = folder / "site.json"
        try:
            return cls.model_validate_json(file.read_bytes())
        except FileNotFoundError:
            raise SiteError(f"{file}: no such site; make one: tercet secure init") from None
        except ValidationError as error:
            raise SiteError(f"{file}: {first_error(error, 'the file')}") from None

    def save(self, folder: Path) -> None:
        """Write the site, and the security settings of every broker."""
        for name in self.brokers:
            own = broker_folder(folder, name)
            # The file changes with the certificate, so that the broker is reloaded.
            fingerprint = hashlib.sha256((own / "server.pem").read_bytes()).hexdigest()
            settings = broker_configuration.security(
                self.users, name, place=self.place, cloud=self.cloud
            )
            text = f"{settings}# certificate {fingerprint}\n"
            write_public(own / "security.conf", text.encode())
        write_public(folder / "site.json", (self.model_dump_json(indent=1) + "\n").encode())

    def key(self, folder: Path, user: str) -> Path:
        """The file that holds a user's seed."""
        who = self.users[user]
        if who.role in PEOPLE:
            return folder / "people" / f"{user}.nk"
        host = HUB if who.node in ("", self.cloud) else who.node
        return folder / "hosts" / host / f"{user}.nk"

    def add_broker(self, folder: Path, name: str, hosts: Sequence[str]) -> None:
        """Certify a broker, with a key for its link and one for each job beside it."""
        check(name, "broker")
        for host in hosts:
            if not ADDRESS.match(host):
                raise SiteError(f"broker {name}: {host!r} is no host name or address")
        self.brokers[name] = Broker(hosts=[*LOCAL_NAMES, *hosts])
        self.renew(folder, name)
        self.users[f"{BROKER}-{name}"] = User(role=BROKER, public="", node=name)
        self._link(folder, name)
        for role in JOBS:
            self.add(folder, role if name == HUB else f"{role}-{name}", role, node=name)

    def renew(self, folder: Path, name: str) -> Path:
        """Give a broker a new certificate of the same validity; SiteError if there is none."""
        if name not in self.brokers:
            names = ", ".join(self.brokers)
            raise SiteError(f"{name}: no such broker; there are {names}")
        own = broker_folder(folder, name)
        authority.certify(folder / "ca", own, name, self.brokers[name].hosts)
        write_public(own / "ca.pem", (folder / "ca" / "ca.pem").read_bytes())
        return own / "server.pem"

    def _link(self, folder: Path, name: str) -> None:
        """Give a broker a new key for its link to other brokers, as text of its configuration."""
        seed, public = _pair()
        self.users[f"{BROKER}-{name}"].public = public
        write_secret(broker_folder(folder, name) / "link.conf", b'nkey: "%s"\n' % seed)

    def add_node(self, folder: Path, tier: str, node: str, home: str = "") -> list[str]:
        """Add a node's users: a monitor, an inference service, and for a device its gateway."""
        check(node, tier)
        if node == HUB:
            raise SiteError(f"{tier}: {HUB} is the name of the cloud's host")
        if tier == "device":
            check(home, "home")
        roles = ("device", "monitor", "inference") if tier == "device" else ("monitor", "inference")
        names = [f"{role}-{node}" for role in roles]
        for name, role in zip(names, roles, strict=True):
            self.add(folder, name, role, node=node, home=home)
        return names

    def add(self, folder: Path, name: str, role: str, *, node: str = "", home: str = "") -> None:
        """Add a user with a new key; raises SiteError when the name is taken."""
        check(name, "user")
        if name in self.users:
            raise SiteError(f"{name}: there is such a user already; `rotate` gives it a new key")
        self.users[name] = User(role=role, public="", node=node, home=home)
        self._renew(folder, name)

    def limit(self, device: str, tiers: Iterable[str]) -> None:
        """Permit a device to send pictures to these tiers only; its key stays valid."""
        found = [u for u in self.users.values() if (u.role, u.node) == (DEVICE.name, device)]
        if not found:
            raise SiteError(f"{device}: no such device; `tercet secure list` shows all")
        wanted = set(tiers)
        if unknown := wanted - set(get_args(Tier)):
            raise SiteError(f"{min(unknown)}: not a tier; they are {', '.join(get_args(Tier))}")
        for user in found:
            user.allowed = tuple(tier for tier in get_args(Tier) if tier in wanted)

    def revoke(self, folder: Path, name: str) -> list[str]:
        """Remove a user, or all users of a node and its broker; return the names removed."""
        removed = self.named(name)
        own = [user for user in removed if self.users[user].role in (BROKER, RELOADER)]
        if own and (name not in self.brokers or name == HUB):
            raise SiteError(f"{name}: a broker needs {own[0]}; rotate it instead")
        for user in removed:
            if self.users[user].role != BROKER:
                self.key(folder, user).unlink(missing_ok=True)
            del self.users[user]
        if self.brokers.pop(name, None):
            shutil.rmtree(broker_folder(folder, name), ignore_errors=True)
        return removed

    def rotate(self, folder: Path, name: str) -> list[Path]:
        """Give a user, or all users of a node, new keys; the old ones become invalid."""
        return [self._renew(folder, user) for user in self.named(name)]

    def _renew(self, folder: Path, user: str) -> Path:
        """Make a seed, and write it to the folder of its user's host."""
        who = self.users[user]
        if who.role == BROKER:
            self._link(folder, who.node)
            return broker_folder(folder, who.node) / "link.conf"
        seed, who.public = _pair()
        file = self.key(folder, user)
        if who.role in PEOPLE:
            write_secret(file, seed + b"\n")
            return file
        # A container's user is not the host's: the folder has the restricted mode, not the file.
        file.parent.mkdir(parents=True, exist_ok=True)
        file.parent.chmod(0o700)
        write_public(file, seed + b"\n")
        write_public(file.with_name("ca.pem"), (folder / "ca" / "ca.pem").read_bytes())
        return file

    def named(self, name: str) -> list[str]:
        """Users of that name, or of the node of that name; SiteError if there are none."""
        found = [user for user, who in self.users.items() if name in (user, who.node)]
        if not found:
            raise SiteError(f"{name}: no such user or node; `tercet secure list` shows all")
        return found


def create(folder: Path, cloud: str, hosts: Iterable[str], place: str = MOUNT_POINT) -> Site:
    """Make a site with its authority, its hub and the users that every site has."""
    refuse_existing(folder)
    check(cloud, "cloud")
    authority.create(folder / "ca")
    site = Site(cloud=cloud, place=place)
    site.add_broker(folder, HUB, [*STACK_NAMES, *hosts])
    for role in ROLES.values():
        if not role.of_node and role.name not in JOBS:
            site.add(folder, role.name, role.name)
    site.add_node(folder, "cloud", cloud)
    return site


def refuse_existing(folder: Path) -> None:
    """Raise SiteError when the folder has a site or parts of one: no authority is replaced."""
    if (folder / "site.json").exists():
        raise SiteError(f"{folder}: there is a site already; `tercet secure add` extends it")
    for part in PARTS:
        if (folder / part).exists():
            raise SiteError(f"{folder}: {part}/ of a site is there, without its site.json")


def broker_folder(folder: Path, name: str) -> Path:
    """The folder that a broker mounts: certificate, key and users; accessible to its owner only."""
    host = folder / "hosts" / name
    host.mkdir(parents=True, exist_ok=True)
    host.chmod(0o700)
    return host / "broker"


def check(name: str, what: str) -> None:
    """Raise SiteError for a name that has a special meaning in a subject or a path."""
    if not NAME.match(name):
        raise SiteError(f"{what}: {name!r} is not a name of letters, digits, '-' and '_'")


def _pair() -> tuple[bytes, str]:
    """A new seed and its public key."""
    seed: bytes = nkeys.encode_seed(os.urandom(32), nkeys.PREFIX_BYTE_USER)
    public: str = nkeys.from_seed(bytearray(seed)).public_key.decode()
    return seed, public


def described(site: Site) -> str:
    """The site as JSON, for programs."""
    return json.dumps(site.model_dump())
