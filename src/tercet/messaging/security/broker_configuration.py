"""The security settings of one broker, as text of its configuration file.

`security.conf` is included at the end of a broker's own configuration. It has TLS for clients,
all users with their rights, and the account that the config reloader uses. Links between brokers
use the same TLS files, in compose/broker/.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tercet.messaging.rights import ANSWER_WITHIN, rights
from tercet.messaging.roles import ROLES, TOPOLOGY
from tercet.messaging.security.names import BROKER, HUB, RELOADER

if TYPE_CHECKING:
    from tercet.messaging.security.site import Site, User

TEMPLATE = """# Made by `tercet secure`; changes here are lost.
# Reloaded by tercet.messaging.config_reloader.
tls { cert_file: %(cert)s, key_file: %(key)s, ca_file: %(ca)s, timeout: 5 }
system_account: SYS
accounts {
  SYS { users: [ %(reloader)s ] }
  TERCET {
    jetstream: enabled
    users: [
%(users)s
    ]
  }
}
"""


def security(site: Site, broker: str) -> str:
    """The file of one broker; that of an edge has only the users of its own devices."""
    accepted = {
        n: u for n, u in site.users.items() if u.role in ROLES and _belongs(site, broker, u)
    }
    users = [_user(site, name, user) for name, user in accepted.items()]
    users += [
        f"{{ nkey: {user.public} }} # link of broker {user.node}"
        for user in site.users.values()
        if user.role == BROKER and broker == HUB != user.node
    ]
    (reloader,) = [u for u in site.users.values() if u.role == RELOADER and u.node == broker]
    return TEMPLATE % {
        "cert": json.dumps(f"{site.place}/server.pem"),
        "key": json.dumps(f"{site.place}/server.key"),
        "ca": json.dumps(f"{site.place}/ca.pem"),
        "reloader": f"{{ nkey: {reloader.public} }}",
        "users": "\n".join(f"      {user}" for user in users),
    }


def _belongs(site: Site, broker: str, user: User) -> bool:
    """Whether a broker accepts a user; the job that declares streams only at its own broker."""
    if user.role == TOPOLOGY.name:
        return user.node == broker
    return broker == HUB or not user.node or broker in (user.node, user.home)


def _user(site: Site, name: str, user: User) -> str:
    granted = rights(ROLES[user.role], name, node=user.node, home=user.home, cloud=site.cloud)
    permissions = [
        f"publish: {{ allow: {json.dumps(granted.publish)} }}",
        f"subscribe: {{ allow: {json.dumps(granted.subscribe)} }}",
    ]
    if granted.answers:
        permissions.append(f'allow_responses: {{ max: 1, expires: "{ANSWER_WITHIN}" }}')
    return f"{{ nkey: {user.public}, permissions: {{ {', '.join(permissions)} }} }} # {name}"
