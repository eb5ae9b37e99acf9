"""What can go wrong, named for what the receiver should do about it.

* ServiceError
    * Misconfigured    the process cannot start      -> say so in one line, exit 2
    * Unprocessable    this message can never work   -> bury it, never redeliver
        * Gone         what it points to is not kept -> pass over it, there is something newer
    * TryLater         this message cannot work yet  -> redeliver after a delay, or refuse a
                                                        request: the asker falls back
    * TooMany          the asker is above its rate   -> refuse it; it falls back
    * NoAnswer         nobody answered in time       -> fall back
    * Fenced           a successor has taken over    -> let go of the role
* any other Exception  a bug of ours                 -> log it, redeliver a few times, then bury
"""

from __future__ import annotations


class ServiceError(Exception):
    """Everything the services raise on purpose."""


class Misconfigured(ServiceError):
    """A setting, a broker, a stream or a model file is wrong or missing."""


class Unprocessable(ServiceError):
    """The message is malformed, or asks for something that does not exist."""


class Gone(Unprocessable):
    """What the message points to is no longer kept: it was reset, or has had successors."""


class TryLater(ServiceError):
    """A dependency is not ready; `delay` is in seconds."""

    def __init__(self, reason: str, *, delay: float = 1.0) -> None:
        super().__init__(reason)
        self.delay = delay


class TooMany(ServiceError):
    """The asker is above its rate: refused, not buried; it should fall back and slow down."""


class NoAnswer(ServiceError):
    """No responder, or none in time; `responder` tells which."""

    def __init__(self, reason: str, *, responder: bool) -> None:
        super().__init__(reason)
        self.responder = responder


class Fenced(ServiceError):
    """Someone with a newer epoch or version owns what this process wanted to write."""
