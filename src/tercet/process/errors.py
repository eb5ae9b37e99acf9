"""Errors that services raise on purpose, each named for what its receiver should do.

* ServiceError
    * Misconfigured    the process cannot start       -> one line on stderr, exit code 2
    * Unprocessable    this message can never work    -> dead-letter it, never redeliver
        * Gone         its target is no longer kept   -> skip it, a newer one exists
    * TryLater         this message cannot work yet   -> redeliver after a delay; a request is
                                                         refused, and its client falls back
    * RateLimited      the client exceeds its rate    -> refuse the request; its client falls back
    * NoAnswer         no answer in time              -> fall back
    * Fenced           a newer owner exists           -> give up the ownership
* any other Exception  a defect of ours               -> log it, redeliver a few times, then
                                                         dead-letter
"""

from __future__ import annotations


class ServiceError(Exception):
    """Base class of the errors that services raise on purpose."""


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


class RateLimited(ServiceError):
    """The client sends more than its rate: refused, not dead-lettered."""


class NoAnswer(ServiceError):
    """No usable answer in time.

    `responder` is False when no process serves the subject; `timed_out` is True when one may, but
    the time was over.
    """

    def __init__(self, reason: str, *, responder: bool, timed_out: bool = False) -> None:
        super().__init__(reason)
        self.responder, self.timed_out = responder, timed_out


class Fenced(ServiceError):
    """A process with a newer epoch or version owns what this process wanted to write."""
