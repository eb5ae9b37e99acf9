"""The exceptions that nats-py raises while a broker is unreachable, restarting or refusing."""

from nats.errors import Error as NatsError

NATS_ERRORS = (NatsError, OSError)
"""OSError includes TimeoutError."""
