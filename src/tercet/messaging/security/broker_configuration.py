"""The security settings of one broker, as text of its configuration file.

`security.conf` is included at the end of a broker's own configuration. It has TLS for clients,
all users with their rights, and the account that the config reloader uses. Links between brokers
use the same TLS files, in compose/broker/.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from tercet.messaging.rights import ANSWER_WITHIN, rights
from tercet.messaging.roles import ROLES, TOPOLOGY
from tercet.messaging.security.names import BROKER, HUB, RELOADER
from tercet.messaging.security.users import User

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


def security(users: Mapping[str, User], broker: str, *, place: str, cloud: str) -> str:
    """The file of one broker; that of an edge has only the users of its own devices.

    `place` is the broker's folder as it sees it, and `cloud` the name of the cloud's node.
    """
    lines = [
        _entry(name, user, cloud)
        for name, user in users.items()
        if user.role in ROLES and _belongs(broker, user)
    ]
    lines += [
        f"{{ nkey: {user.public} }} # link of broker {user.node}"
        for user in users.values()
        if user.role == BROKER and broker == HUB != user.node
    ]
    (reloader,) = [u for u in users.values() if u.role == RELOADER and u.node == broker]
    return TEMPLATE % {
        "cert": json.dumps(f"{place}/server.pem"),
        "key": json.dumps(f"{place}/server.key"),
        "ca": json.dumps(f"{place}/ca.pem"),
        "reloader": f"{{ nkey: {reloader.public} }}",
        "users": "\n".join(f"      {line}" for line in lines),
    }


def _belongs(broker: str, user: User) -> bool:
    """Whether a broker accepts a user; the job that declares streams only at its own broker."""
    if user.role == TOPOLOGY.name:
        return user.node == broker
    return broker == HUB or not user.node or broker in (user.node, user.home)


def _entry(name: str, user: User, cloud: str) -> str:
    granted = rights(
        ROLES[user.role],
        name,
        node=user.node,
        home=user.home,
        cloud=cloud,
        allowed=user.allowed,
    )
    permissions = [
        f"publish: {{ allow: {json.dumps(granted.publish)} }}",
        f"subscribe: {{ allow: {json.dumps(granted.subscribe)} }}",
    ]
    if granted.answers:
        permissions.append(f'allow_responses: {{ max: 1, expires: "{ANSWER_WITHIN}" }}')
    return f"{{ nkey: {user.public}, permissions: {{ {', '.join(permissions)} }} }} # {name}"
