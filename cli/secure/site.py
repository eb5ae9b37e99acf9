"""A site: its users with their roles and public keys, its brokers, and the folder they live in."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import nkeys
from pydantic import BaseModel, Field, ValidationError

from cli.complaint import Complaint
from cli.secure import authority, configuration
from cli.secure.files import write_public, write_secret
from runtime.roles import ROLES

NAME = re.compile(r"^[A-Za-z0-9_-]{1,64}$")
BROKER = "broker"
"""Role of a broker towards another one."""
WARDEN = "warden"
"""Role of who may tell a broker to read its users again, and nothing else."""
PLACE = "/etc/nats/security"
"""Where containers mount a broker's folder."""


class User(BaseModel):
    """One identity on the bus."""

    role: str
    public: str
    """Public nkey; the seed is in `keys/<user>.nk`."""
    node: str = ""
    home: str = ""


class Broker(BaseModel):
    """One broker of the site, under the names by which it is reached."""

    hosts: list[str]


class Site(BaseModel):
    """What `site.json` holds."""

    cloud: str = "cloud"
    place: str = PLACE
    """Where each broker finds its own folder of the site."""
    users: dict[str, User] = Field(default_factory=dict)
    brokers: dict[str, Broker] = Field(default_factory=dict)

    @classmethod
    def load(cls, folder: Path) -> Site:
        """Read a site; raises Complaint when there is none, or it cannot be read."""
        file = folder / "site.json"
        try:
            return cls.model_validate_json(file.read_bytes())
        except FileNotFoundError:
            raise Complaint(f"{file}: no such site; make one: tercet secure init") from None
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(str(part) for part in first["loc"])
            raise Complaint(f"{file}: {field}: {first['msg']}") from None

    def save(self, folder: Path) -> None:
        """Write the site, and for every broker what it is to enforce from now on."""
        for name in self.brokers:
            text = configuration.security(self, name)
            write_public(folder / "brokers" / name / "security.conf", text.encode())
        write_public(folder / "site.json", (self.model_dump_json(indent=1) + "\n").encode())

    def add_broker(self, folder: Path, name: str, hosts: list[str]) -> None:
        """Certify a broker, and give it a key of its own for its link to another."""
        check(name, "broker")
        self.brokers[name] = Broker(hosts=hosts)
        home = folder / "brokers" / name
        authority.certify(folder / "ca", home, name, hosts)
        write_public(home / "ca.pem", (folder / "ca" / "ca.pem").read_bytes())
        self.add(folder, f"broker-{name}", BROKER)
        write_secret(home / "link.nk", (folder / "keys" / f"broker-{name}.nk").read_bytes())

    def add_node(self, folder: Path, tier: str, node: str, home: str = "") -> list[str]:
        """Give a node its users: a monitor, an inference service, and a device its application."""
        check(node, tier)
        if tier == "device":
            check(home, "home")
        roles = ("device", "monitor", "inference") if tier == "device" else ("monitor", "inference")
        names = [f"{role}-{node}" for role in roles]
        for name, role in zip(names, roles, strict=True):
            self.add(folder, name, role, node=node, home=home)
        return names

    def add(self, folder: Path, name: str, role: str, *, node: str = "", home: str = "") -> None:
        """Give a new user a key; raises Complaint when there is one of that name."""
        check(name, "user")
        if name in self.users:
            raise Complaint(f"{name}: there is such a user already; `rotate` gives it a new key")
        self.users[name] = User(role=role, public=_key(folder, name), node=node, home=home)

    def revoke(self, folder: Path, name: str) -> list[str]:
        """Take away every key of a user or a node; return the users that are gone."""
        gone = [user for user in self.named(name) if self.users[user].role != BROKER]
        for user in gone:
            del self.users[user]
            (folder / "keys" / f"{user}.nk").unlink(missing_ok=True)
        return gone

    def rotate(self, folder: Path, name: str) -> list[str]:
        """Give a user, or all users of a node, new keys; the old ones end at once."""
        renewed = self.named(name)
        for user in renewed:
            self.users[user].public = _key(folder, user)
        return renewed

    def named(self, name: str) -> list[str]:
        """Users that are called so, or belong to the node of that name; Complaint if none."""
        found = [user for user, who in self.users.items() if name in (user, who.node)]
        if not found:
            raise Complaint(f"{name}: no such user or node; `tercet secure list` shows all")
        return found


def create(folder: Path, cloud: str, hosts: list[str], place: str = PLACE) -> Site:
    """Make a site with its authority, its hub and the users that every site has."""
    if (folder / "site.json").exists():
        raise Complaint(f"{folder}: there is a site already; `tercet secure add` extends it")
    check(cloud, "cloud")
    authority.create(folder / "ca")
    site = Site(cloud=cloud, place=place)
    site.add_broker(folder, "hub", hosts)
    for role in ROLES.values():
        if not role.of_node:
            site.add(folder, role.name, role.name)
    site.add(folder, WARDEN, WARDEN)
    site.add_node(folder, "cloud", cloud)
    return site


def check(name: str, what: str) -> None:
    """Refuse a name that would mean something else in a subject or a path."""
    if not NAME.match(name):
        raise Complaint(f"{what}: {name!r} is not a name of letters, digits, '-' and '_'")


def _key(folder: Path, name: str) -> str:
    """Make a seed, keep it, and return its public key."""
    seed = nkeys.encode_seed(os.urandom(32), nkeys.PREFIX_BYTE_USER)
    write_secret(folder / "keys" / f"{name}.nk", seed + b"\n")
    public: str = nkeys.from_seed(bytearray(seed)).public_key.decode()
    return public


def described(site: Site) -> str:
    """The site as JSON, for programs."""
    return json.dumps(site.model_dump())
