"""`tercet secure`: make a site's keys; add users and nodes, limit, revoke, rotate, renew, list."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from tercet.cli.output import show
from tercet.cli.usage_error import UsageError
from tercet.messaging.roles import ROLES
from tercet.messaging.security import site as sites
from tercet.messaging.security.files import drafting
from tercet.messaging.security.names import BROKER, MOUNT_POINT
from tercet.messaging.security.site import Site
from tercet.messaging.security.users import User
from tercet.schemas.fleet import Tier

Folder = Annotated[
    Path, typer.Option("--site", envvar="TERCET_SITE", help="The site's folder. Keep it offline.")
]
DEFAULT = Path("tercet-site")

app = typer.Typer(
    help="Make a site's keys, certificates and rights, offline.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    epilog=(
        "Examples: [bold]tercet secure init --host hub.example --edge edge-1=10.0.0.5 "
        "--device cam-1=edge-1[/]; [bold]tercet secure add device cam-7 --home edge-1[/]; "
        "[bold]tercet secure revoke cam-7[/]"
    ),
)


@app.command(
    epilog="Example: [bold]tercet secure init --host hub.example --edge edge-1=10.0.0.5 "
    "--device cam-1=edge-1[/]"
)
def init(
    folder: Folder = DEFAULT,
    host: Annotated[
        list[str] | None, typer.Option(help="A name or address of the hub; several allowed.")
    ] = None,
    cloud: Annotated[str, typer.Option(help="Name of the cloud node.")] = "cloud",
    edge: Annotated[
        list[str] | None,
        typer.Option(help="NAME=HOST of an edge that has a broker of its own, or just NAME."),
    ] = None,
    device: Annotated[
        list[str] | None, typer.Option(help="NAME=EDGE of a device and its home edge.")
    ] = None,
    place: Annotated[
        str, typer.Option(help="Path of a broker's folder as the broker sees it.")
    ] = MOUNT_POINT,
) -> None:
    """Make a site: authority, hub, one user for each role, and the nodes that are named."""
    sites.refuse_existing(folder)
    with drafting(folder, "site.json") as draft:
        site = sites.create(draft, cloud, host or ["hub"], place)
        for entry in edge or []:
            _add_edge(draft, site, entry)
        for entry in device or []:
            name, home = _pair(entry, "--device", "EDGE")
            _add_device(draft, site, name, home)
        site.save(draft)
    print(f"{folder}: {len(site.users)} users, {len(site.brokers)} brokers")
    print(f"Keep {folder}/ca offline; give each host its folder of {folder}/hosts.")


@app.command(epilog="Example: [bold]tercet secure add device cam-7 --home edge-1[/]")
def add(
    kind: Annotated[str, typer.Argument(help="device, edge, or a role (see `list --roles`).")],
    name: Annotated[str, typer.Argument(help="Name of the node or user.")],
    home: Annotated[str, typer.Option(help="A device's home edge.")] = "",
    host: Annotated[str, typer.Option(help="An edge broker's name or address.")] = "",
    folder: Folder = DEFAULT,
) -> None:
    """Add a node or a user; all others stay connected."""
    site = Site.load(folder)
    before = set(site.users)
    if kind == "device":
        if not home:
            raise UsageError(f"{name}: a device needs --home, the name of its edge")
        _add_device(folder, site, name, home)
    elif kind == "edge":
        _add_edge(folder, site, f"{name}={host}" if host else name)
    elif kind in ROLES and not ROLES[kind].of_node:
        site.add(folder, name, kind)
    else:
        roles = ", ".join(r.name for r in ROLES.values() if not r.of_node)
        raise UsageError(f"{kind}: not device, edge or a role: {roles}")
    site.save(folder)
    for user in sorted(set(site.users) - before):
        if site.users[user].role != BROKER:
            print(site.key(folder, user))


@app.command(epilog="Example: [bold]tercet secure limit cam-7 L E[/]")
def limit(
    device: Annotated[str, typer.Argument(help="Name of a device.")],
    tiers: Annotated[
        list[str], typer.Argument(help="Tiers that its pictures may reach: L (itself), E, C.")
    ],
    folder: Folder = DEFAULT,
) -> None:
    """Have the brokers refuse a device's pictures for other tiers; its TERCET_ALLOWED is the same
    list."""
    site = Site.load(folder)
    site.limit(device, tiers)
    site.save(folder)


@app.command(epilog="Example: [bold]tercet secure revoke cam-7[/]")
def revoke(
    name: Annotated[str, typer.Argument(help="A user, or a node: then all its users.")],
    folder: Folder = DEFAULT,
) -> None:
    """Revoke a key: its holder is disconnected as soon as the brokers have reloaded."""
    site = Site.load(folder)
    removed = site.revoke(folder, name)
    site.save(folder)
    print("\n".join(removed))


@app.command(epilog="Example: [bold]tercet secure rotate cam-7[/]")
def rotate(
    name: Annotated[str, typer.Argument(help="A user, or a node: then all its users.")],
    folder: Folder = DEFAULT,
) -> None:
    """Replace a key; hand out the new file and restart its holder."""
    site = Site.load(folder)
    renewed = site.rotate(folder, name)
    site.save(folder)
    print("\n".join(map(str, renewed)))


@app.command(epilog="Example: [bold]tercet secure renew hub[/]")
def renew(
    name: Annotated[str, typer.Argument(help="A broker: hub, or an edge that runs one.")],
    folder: Folder = DEFAULT,
) -> None:
    """Give a broker a new certificate; its config reloader applies it, clients stay connected."""
    site = Site.load(folder)
    print(site.renew(folder, name))
    site.save(folder)


@app.command("list", epilog="Example: [bold]tercet secure list --roles[/]")
def list_(
    roles: Annotated[bool, typer.Option("--roles", help="List the roles instead.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object.")] = False,
    folder: Folder = DEFAULT,
) -> None:
    """List users and brokers, or roles; no secrets."""
    if roles:
        rows = [(role.name, role.reason) for role in ROLES.values()]
        print(json.dumps(dict(rows))) if as_json else show("roles", ("role", "rights"), rows)
        return
    site = Site.load(folder)
    if as_json:
        print(sites.described(site))
        return
    show(
        "users",
        ("user", "role", "node", "home", "pictures to", "public key"),
        [
            (n, u.role, u.node, u.home, " ".join(_tiers(u)), u.public)
            for n, u in sorted(site.users.items())
        ],
    )
    hosts = [(name, " ".join(b.hosts)) for name, b in sorted(site.brokers.items())]
    show("brokers", ("broker", "hosts"), hosts)


def _tiers(user: User) -> tuple[Tier, ...]:
    """Tiers that a user may send pictures to."""
    return tuple(tier for tier, _ in ROLES[user.role].sends_to if tier in user.allowed)


def _add_device(folder: Path, site: Site, name: str, home: str) -> None:
    site.add_node(folder, "device", name, home)
    if not any(user.node == home for user in site.users.values()):
        hint = f"{name}: there is no edge {home} yet: tercet secure add edge {home}"
        print(hint, file=sys.stderr)


def _add_edge(folder: Path, site: Site, entry: str) -> None:
    name, _, host = entry.partition("=")
    site.add_node(folder, "edge", name)
    if host:
        site.add_broker(folder, name, [host])


def _pair(entry: str, option: str, second: str) -> tuple[str, str]:
    name, sign, other = entry.partition("=")
    if not (name and sign and other):
        raise UsageError(f"{option} {entry}: write NAME={second}")
    return name, other
