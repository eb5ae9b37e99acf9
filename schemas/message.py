"""The base of all messages: id, time, cause, and a subject that follows from the fields."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Self
from uuid import UUID, uuid4, uuid5

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from tercet.schemas import clock

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
"""A device, edge or node: one token of a subject."""

Milliseconds = Annotated[float, Field(ge=0, le=86_400_000, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Percent = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]
OptionText = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,32}@[LEC]$", examples=["d3@L"])]
"""Variant and tier: L on the device, E on its home edge, C in the cloud."""
SourceText = Annotated[str, Field(max_length=128)]
"""Who hands pictures to a gateway, by its own name."""
FrameText = Annotated[str, Field(max_length=256)]
"""A source's own name of a picture."""


class Message(BaseModel):
    """A message on the bus.

    Within one version fields are only ever added, and only with a default: old readers ignore
    unknown fields, new readers use the defaults. Any other change is a new version: a new subject
    and a new file.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)

    SUBJECT: ClassVar[str]
    """Subject template; `{field}` stands for the field's value, e.g. `decision.v1.{device}`."""
    KEPT: ClassVar[bool] = False
    """Whether publishing waits until a stream has stored the message."""
    FORMER: ClassVar[type[Message] | None] = None
    """The version before this one: readers translate it with `from_former`."""

    id: UUID = Field(default_factory=uuid4, description="unique; also the stream's de-duplication")
    at: AwareDatetime = Field(
        default_factory=lambda: clock.now(),
        description="when it was created, by the sender's clock",
    )
    cause: UUID | None = Field(None, description="id of the message that led to this one")

    @property
    def subject(self) -> str:
        """The subject of this message."""
        return self.SUBJECT.format_map(vars(self))

    @classmethod
    def pattern(cls, **tokens: str) -> str:
        """Return the subject with `*` for every token that is not given."""
        return cls.SUBJECT.format_map(_Wildcards(tokens))

    @classmethod
    def readable(cls, **tokens: str) -> str:
        """As `pattern`, of this version and the former one: what a reader receives."""
        pattern = cls.pattern(**tokens)
        if cls.FORMER is None:
            return pattern
        former = cls.FORMER.pattern(**tokens)
        pairs = zip(pattern.split("."), former.split("."), strict=True)
        return ".".join(a if a == b else "*" for a, b in pairs)

    @classmethod
    def from_former(cls, former: Any) -> Self:
        """Translate a message of the former version; ValueError if it cannot be."""
        raise NotImplementedError(f"{cls.__name__} has no former version")

    @classmethod
    def caused_by(cls, cause: Message, key: str = "", **fields: Any) -> Self:
        """Return a consequence of `cause`; its derived id makes a second publication harmless.

        `key` distinguishes several consequences of one cause.
        """
        return cls(id=uuid5(cause.id, f"{cls.SUBJECT}/{key}"), cause=cause.id, **fields)


class _Wildcards(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return "*"
