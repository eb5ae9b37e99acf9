"""Parts of several messages: a fleet, a node's condition. They have no subject of their own."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tercet.schemas.message import Milliseconds, Name, OptionText, Percent, Share

GoalText = Annotated[str, Field(pattern=r"^(min|max|100(\.0+)?|\d{1,2}(\.\d+)?)$", examples=["85"])]
"""`min` (no constraint), `max` (the best variant's accuracy) or percent 0..100."""


class Part(BaseModel):
    """A frozen piece of a message."""

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)


class Condition(Part):
    """One node's background condition: the load of other programs, without that of Tercet."""

    cpu: Share = Field(0.0, description="CPU utilisation by others, 0..1")
    memory: Share = Field(0.0, description="share of memory in use, 0..1")
    link_ms: Milliseconds = Field(0.0, description="round trip to the next tier's broker, ms")
    weak: bool = Field(False, description="link discretised, with hysteresis: true above 10 ms")


class Fleet(Part):
    """What is known without measuring response times: devices, homes, options, accuracies."""

    devices: tuple[Name, ...]
    home: tuple[Name, ...] = Field(description="home edge of each device, same order")
    options: tuple[OptionText, ...]
    accuracy_pct: dict[str, Percent] = Field(description="variant to accuracy, percent")
    profile_ms: dict[str, dict[str, Milliseconds]] = Field(
        default_factory=dict, description="device to variant to its own measured compute time, ms"
    )

    cloud: Name = Field("cloud", description="name of the cloud node")
    lacks: dict[Name, tuple[str, ...]] = Field(
        default_factory=dict, description="node to variants of the options that it cannot run"
    )

    def node(self, device: str, option: str) -> str:
        """Return the node on which an option runs for a device of this fleet."""
        tier = option[-1]
        if tier == "E":
            return self.home[self.devices.index(device)]
        return self.cloud if tier == "C" else device

    @model_validator(mode="after")
    def _agree(self) -> Fleet:
        if len(set(self.devices)) != len(self.devices):
            raise ValueError("a device is named twice")
        if len(set(self.options)) != len(self.options):
            raise ValueError("an option is named twice")
        if len(self.home) != len(self.devices):
            raise ValueError("home must name one edge for each device")
        missing = {o.partition("@")[0] for o in self.options} - self.accuracy_pct.keys()
        if missing:
            raise ValueError(f"accuracy_pct lacks {', '.join(sorted(missing))}")
        return self


class Label(Part):
    """One class that a classifier returned, with its probability."""

    name: str
    probability: Share
