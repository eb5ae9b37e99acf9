"""Names that a site, its brokers and their containers agree on."""

from __future__ import annotations

import re

from tercet.messaging.roles import LISTENER, OPERATOR, TOPOLOGY

NAME = re.compile(r"^[A-Za-z0-9_-]{1,64}\Z")
ADDRESS = re.compile(r"^[A-Za-z0-9]([A-Za-z0-9._:-]*[A-Za-z0-9])?\Z")
"""A host's name or address."""
HUB = "hub"
"""The broker that others join, and the host that runs it with the cloud's node."""
BROKER = "broker"
"""Role of a broker towards another one."""
WARDEN = "warden"
"""Role of who may tell a broker to read its users again, and nothing else."""
JOBS = (WARDEN, TOPOLOGY.name)
"""Roles that each broker has a user of its own for."""
PEOPLE = (OPERATOR.name, LISTENER.name)
"""Roles of persons and of outsiders, who belong to no host."""
NAMES = ("localhost", "127.0.0.1", "broker", "relay")
"""Names under which a broker is reached from the containers beside it, or through a relay."""
STACK = ("nats-1", "nats-2", "nats-3")
"""Names of the hub's three servers in compose/stack.yaml."""
PLACE = "/etc/nats/security"
"""Where containers mount a broker's folder."""
