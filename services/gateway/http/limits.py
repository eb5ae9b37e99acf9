"""How much of its host the HTTP front of a gateway may use, and how long it waits."""

from __future__ import annotations

from dataclasses import dataclass

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of size, number and time."""

    body_bytes: int = 16 * MIB
    """Size of one request's body."""
    json_bytes: int = 4 * MIB
    """Of it, at most so much JSON: parsed, it takes several times its size."""
    memory_bytes: int = 64 * MIB
    """Size of all bodies together that are received or answered."""
    in_progress: int = 64
    """Requests that are answered at once; another one is refused with 503."""
    connections: int = 128
    """Open connections; for another one the oldest that waits for its client is closed."""
    body_timeout_s: float = 15.0
    """Seconds from the headers of a request to the end of its body, else 408."""
    receive_timeout_s: float = 20.0
    """Seconds in which a connection must have sent a request, else it is closed."""
    keep_alive_s: float = 15.0
    """Seconds that a connection may stay open between two requests."""
    deadline_ms: float = 5_000.0
    """Deadline of a request that names none."""
    deepstack_deadline_ms: float = 100.0
    """The same on the DeepStack routes: Frigate's client gives up after so long."""
    longest_deadline_ms: float = 60_000.0
    """A later deadline is shortened to this: no request is waited for without bound."""
