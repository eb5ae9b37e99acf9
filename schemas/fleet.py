"""Parts of several messages: a fleet, a node's condition. They have no subject of their own."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tercet.schemas.message import Milliseconds, Name, OptionText, Percent, Share

GoalText = Annotated[str, Field(pattern=r"^(min|max|100(\.0+)?|\d{1,2}(\.\d+)?)$", examples=["85"])]
"""`min` (no constraint), `max` (the best variant's accuracy) or percent 0..100."""


RowText = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}(/[A-Za-z0-9_-]{1,64})?$")]
"""A row of an assignment: a device, or a device and one of its families, `door/detect`."""

Tier = Literal["L", "E", "C"]
"""On the device (local), on its home edge, in the cloud."""


class Part(BaseModel):
    """A frozen piece of a message."""

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)


class Condition(Part):
    """One node's background condition: the load of other programs, without that of Tercet."""

    cpu: Share = Field(0.0, description="CPU utilisation by others, 0..1")
    memory: Share = Field(0.0, description="share of memory in use, 0..1")
    link_ms: Milliseconds = Field(0.0, description="round trip to the next tier's broker, ms")
    weak: bool = Field(False, description="link discretised, with hysteresis: true above 10 ms")
    backlog: float = Field(
        0.0, ge=0, le=1e9, allow_inf_nan=False, description="requests that wait, if known"
    )
    temperature: float = Field(
        0.0, ge=-273, le=1000, allow_inf_nan=False, description="degrees Celsius; 0: unknown"
    )
    throttled: Share = Field(0.0, description="share of its speed that is lost to heat, 0..1")


class FamilyOffer(Part):
    """What one node knows of a model family, and what it can run of it."""

    task: str = Field("classification", max_length=64, description="what it answers of a picture")
    variants: tuple[str, ...] = Field(
        (), max_length=256, description="its variants that this node can run"
    )
    goal: GoalText | None = Field(
        None, description="least average accuracy where the operator sets none; null: see goal.v1"
    )
    metric: str | None = Field(
        None, max_length=64, description="what the accuracies count, such as top-1; null: not known"
    )
    labels: str | None = Field(
        None, max_length=64, description="hash of its labels: nodes of one family agree in it"
    )


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
    families: dict[Name, tuple[Name, ...]] = Field(
        default_factory=dict,
        description="device to the model families that it asks for; a device that is missing has "
        "one, without a name",
    )
    variants: dict[Name, tuple[str, ...]] = Field(
        default_factory=dict, description="family to its variants; all where it is missing"
    )
    groups: dict[Name, Name] = Field(
        default_factory=dict, description="family to its goal group; one without a name if missing"
    )
    allowed: dict[RowText, tuple[Tier, ...]] = Field(
        default_factory=dict,
        description="device, or device/family, to the tiers that its requests may use; all where "
        "it is missing",
    )
    deadline_ms: Milliseconds | None = Field(
        None, gt=0, description="an answer that takes longer is not in time; null: none does"
    )

    @property
    def nodes(self) -> frozenset[str]:
        """Devices, edges and the cloud."""
        return frozenset((*self.devices, *self.home, self.cloud))

    @property
    def rows(self) -> tuple[str, ...]:
        """What is decided for: every device, or each of its families."""
        return tuple(row for device in self.devices for row in self.rows_of(device))

    def rows_of(self, device: str) -> tuple[str, ...]:
        """The device, or `device/family` for each of its families."""
        families = self.families.get(device, ())
        return tuple(f"{device}/{family}" for family in families) or (device,)

    def node(self, row: str, option: str) -> str:
        """Return the node on which an option runs for a device, or a row, of this fleet."""
        tier, device = option[-1], row.partition("/")[0]
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
        if strangers := self.families.keys() - set(self.devices):
            raise ValueError(f"families names unknown devices: {', '.join(sorted(strangers))}")
        return self


Pixels = Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)]


class Box(Part):
    """One object that a detector found, in pixels of the picture, which is upright."""

    name: str = Field(description="its class")
    probability: Share
    x_min: Pixels
    y_min: Pixels
    x_max: Pixels
    y_max: Pixels


class PictureSize(Part):
    """Width and height of a picture, upright, pixels."""

    width: int = Field(ge=1, le=1_000_000)
    height: int = Field(ge=1, le=1_000_000)


class Label(Part):
    """One class that a classifier returned, with its probability."""

    name: str
    probability: Share
