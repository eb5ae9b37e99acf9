"""Names shared by a site, its brokers and their containers."""

from __future__ import annotations

import re

from tercet.messaging.roles import LISTENER, OPERATOR, TOPOLOGY

NAME = re.compile(r"^[A-Za-z0-9_-]{1,64}\Z")
ADDRESS = re.compile(r"^[A-Za-z0-9]([A-Za-z0-9._:-]*[A-Za-z0-9])?\Z")
"""A host's name or address."""
HUB = "hub"
"""The broker that edge brokers connect to, and the host that runs it with the cloud's node."""
BROKER = "broker"
"""Role of a broker towards another one."""
RELOADER = "warden"
"""Role of the config reloader, which may only tell a broker to reload its configuration."""
JOBS = (RELOADER, TOPOLOGY.name)
"""Roles that have one user per broker."""
PEOPLE = (OPERATOR.name, LISTENER.name)
"""Roles of persons and of external clients, which belong to no host."""
LOCAL_NAMES = ("localhost", "127.0.0.1", "broker", "relay")
"""Names under which a broker is reached from the containers beside it, or through a relay."""
STACK_NAMES = ("nats-1", "nats-2", "nats-3")
"""Names of the hub's three servers in compose/stack.yaml."""
MOUNT_POINT = "/etc/nats/security"
"""Path at which containers mount a broker's folder."""
