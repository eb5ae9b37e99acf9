"""Parts of a window's experience: rows, requests, attempts, reports. They have no subject."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from tercet.schemas.fleet import Fleet, Part
from tercet.schemas.message import Name, OptionText

AttemptResult = Literal["ok", "overloaded", "refused", "timed-out", "no-responder"]
Family = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{0,64}$")]
"""A set of models of one task with the same labels; empty where a device has only one."""
Count = Annotated[int, Field(ge=0, le=10**9)]
Positive = Annotated[int, Field(ge=1, le=10**9)]
Total = Annotated[float, Field(ge=0, le=1e15, allow_inf_nan=False)]
"""A sum of milliseconds."""
Squares = Annotated[float, Field(ge=0, le=1e24, allow_inf_nan=False)]
Rate = Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]

CLOCKS = 1.02
"""Parts are measured by several clocks: they may be so much, and one millisecond, longer."""
ROUNDING = 1e-6
"""Relative tolerance for sums of floating-point numbers."""


def row_name(device: str, family: str) -> str:
    """`device`, or `device/family`."""
    return f"{device}/{family}" if family else device


class _Compact(Part):
    """Fields with their defaults are left out of the JSON: a window may hold thousands of these."""

    @model_serializer(mode="wrap")
    def _without_defaults(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields, found = type(self).model_fields, handler(self)
        return {name: value for name, value in found.items() if value != fields[name].default}


class _OfRow(_Compact):
    device: Name
    family: Family = ""

    @property
    def row(self) -> str:
        """`device`, or `device/family`."""
        return row_name(self.device, self.family)


class ActiveRow(_OfRow):
    """One device and family that was decided for."""

    assigned: OptionText
    greedy: OptionText | None = Field(
        None, description="the option of the policy without exploration; null: not computed"
    )
    demand: Rate | None = Field(
        None, description="requests per second as they arrive; null: one request, with all others"
    )
    own_queue: tuple[Rate, ...] = Field(
        (),
        max_length=16,
        description="how many of the row's own earlier requests one found before it, in this "
        "window or of late, if a node took 3, 10, 30, 100, 300, 1000 ms for each and worked for "
        "this row alone; empty: not known",
    )


class PartTotals(Part):
    """Sums over answered requests, milliseconds."""

    count: Positive = Field(description="requests whose parts are known")
    network_ms: Total = 0.0
    queue_ms: Total = 0.0
    compute_ms: Total = 0.0


class Requests(_OfRow):
    """What became of a row's requests. A row that asked nothing has none."""

    count: Positive
    answered_in_time: Count
    total_ms: Total = Field(
        description="sum of their costs: the time until answered, or the deadline and a penalty"
    )
    parts: PartTotals | None = Field(
        None, description="where the time of their successful attempts went; null: not known"
    )
    straddled: Count = Field(
        0,
        description="of `count`, in progress while the assignment changed, or the first at a place "
        "that had to be made ready for them: they teach no load",
    )
    straddled_ms: Total = Field(0.0, description="of `total_ms`, the costs of those")
    elsewhere: Count = Field(
        0,
        description="of the others, not tried where most of this row's were, which is where it was "
        "assigned, if any were (a gateway does not try a node that does not answer)",
    )
    elsewhere_ms: Total = Field(0.0, description="of `total_ms`, the costs of those")

    @property
    def settled(self) -> int:
        """Those that were made under one assignment, and tried alike."""
        return self.count - self.straddled - self.elsewhere

    @property
    def settled_ms(self) -> float:
        """The costs of those."""
        return max(self.total_ms - self.straddled_ms - self.elsewhere_ms, 0.0)

    @model_validator(mode="after")
    def _agree(self) -> Requests:
        if self.answered_in_time > self.count:
            raise ValueError("answered_in_time is more than count")
        apart_ms = self.straddled_ms + self.elsewhere_ms
        if self.settled < 0 or apart_ms > self.total_ms * (1 + ROUNDING):
            raise ValueError("straddled, elsewhere: more than all")
        parts = self.parts
        if parts is None:
            return self
        if parts.count > self.count:
            raise ValueError("parts.count is more than count")
        whole = parts.network_ms + parts.queue_ms + parts.compute_ms
        limit = CLOCKS * self.total_ms + self.count
        if self.answered_in_time == self.count and whole > limit:
            raise ValueError("parts are larger than total_ms")
        return self


class Attempts(_OfRow):
    """All tries of one row at one option and node that ended alike."""

    option: OptionText
    node: Name
    result: AttemptResult = "ok"
    straddled: bool = Field(
        False, description="in progress across a change of assignment: they teach no load"
    )
    count: Positive
    total_ms: Total = Field(description="sum of the time that they took")
    squared_ms: Squares = Field(description="sum of the squares of the time that each took")

    @model_validator(mode="after")
    def _possible(self) -> Attempts:
        least, most = self.total_ms**2 / self.count, self.total_ms**2
        slack = ROUNDING * most + ROUNDING
        if not least - slack <= self.squared_ms <= most + slack:
            raise ValueError("squared_ms contradicts count and total_ms")
        return self


class NodeReport(_Compact):
    """What a node itself reports of the window."""

    requests: Count = Field(0, description="requests that it answered")
    queue_ms: Total = Field(0.0, description="sum of their time before a worker took them")
    compute_ms: Total = Field(0.0, description="sum of their time in decoding and inference")
    workers: Count = 1
    in_progress: Rate = Field(0.0, description="mean number of requests in progress")


def one_request_each(
    fleet: Fleet, executed: dict[str, str], response_ms: dict[str, float]
) -> tuple[tuple[Requests, ...], tuple[Attempts, ...]]:
    """Requests and attempts of a window in which each device asked once, and was answered."""
    requests = tuple(
        Requests(device=device, count=1, answered_in_time=1, total_ms=ms)
        for device, ms in response_ms.items()
    )
    attempts = tuple(
        Attempts(
            device=device,
            option=executed[device],
            node=fleet.node(device, executed[device]),
            count=1,
            total_ms=ms,
            squared_ms=ms * ms,
        )
        for device, ms in response_ms.items()
    )
    return requests, attempts
