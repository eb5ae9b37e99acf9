"""What nats-py raises while a broker is away, has just come back, or refuses."""

from nats.errors import Error as NatsError

NATS_ERRORS = (NatsError, OSError)
"""Time-outs are OSErrors too."""
