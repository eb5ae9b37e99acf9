"""What an application hands to the gateway, and what it gets back: one request, one answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal, Protocol
from uuid import UUID

from tercet.schemas.classification import Tensor
from tercet.schemas.fleet import Box, Label, PictureSize

AnswerStatus = Literal["ok", "overloaded", "too-late", "failed"]
"""`overloaded`: no place had room, ask again after `retry_after_s`. `too-late`: no place could
answer within the deadline. `failed`: the picture or the variant is refused; see `reason`."""


@dataclass(frozen=True, slots=True)
class ApplicationRequest:
    """One picture of an application, and what it wants of the answer."""

    picture: bytes
    """An encoded picture, such as a JPEG, as the application sent it."""
    source: str
    """Who sent it: the name of a camera, a folder or a program."""
    frame: str | None
    """The application's own name of this picture; it comes back in outcome and result."""
    deadline_ms: float
    """Milliseconds from its arrival within which the answer is useful."""
    family: str | None
    """The model family that is to answer; None: the device's only or first one."""
    variant: str | None = None
    """Asks for one variant of that family; None: Tercet decides."""
    original: tuple[int, int] | None = None
    """Width and height of the picture before it was encoded again, smaller; None: it was not."""
    is_picture: bool = True
    """Whether it is a picture; else a tensor in NumPy's format."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one request of an application."""

    request: UUID
    """Id of the request; outcome and result carry it, too."""
    status: AnswerStatus
    labels: tuple[Label, ...]
    """Best first; empty unless `status` is `ok`, and for a detector."""
    option: str | None
    """The option that ran, such as `d3@E`; None when none did."""
    node: str | None
    """The node that ran it."""
    decision: UUID | None
    """Id of the decision that was followed; None for a fallback."""
    window: int | None
    """Number of the window in which the request arrived; None where none is announced."""
    network_ms: float
    queue_ms: float
    compute_ms: float
    response_ms: float
    """Milliseconds from the request's arrival to the labels; the three above are parts of it."""
    retry_after_s: float | None
    """Seconds after which to ask again, when `status` is `overloaded`."""
    reason: str
    """One line, empty when `status` is `ok`."""
    boxes: tuple[Box, ...] = ()
    """Of a detector: objects, best first, in pixels of the picture as it was sent."""
    picture: PictureSize | None = None
    """Of a detector: the size of that picture."""
    tensors: tuple[Tensor, ...] = ()
    """Of a model for raw tensors: its outputs."""


@dataclass(frozen=True, slots=True)
class Full:
    """Why a request that comes now would be refused at once."""

    reason: str
    retry_after_s: float


class Room(Protocol):
    """Whether requests are worth receiving, and the count of those that are not."""

    def full(self) -> Full | None:
        """None if a request that comes now may be answered; otherwise it is counted as refused."""

    def refused(self) -> None:
        """Count a request that was refused for another lack of room."""


class AlwaysRoom:
    """Refuses nothing."""

    def full(self) -> Full | None:
        """There is room."""
        return None

    def refused(self) -> None:
        """Nothing is counted."""


Infer = Callable[[ApplicationRequest], Awaitable[Answer]]
"""Runs one request of an application; never raises because of the request's content."""
