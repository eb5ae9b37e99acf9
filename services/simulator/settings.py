"""Settings of the simulator."""

from __future__ import annotations

from pydantic import Field

from tercet.process.settings import BusSettings


class SimulatorSettings(BusSettings):
    """Read from `TERCET_…`."""

    world: str = "paper-A"
    """`paper-A` to `paper-D`, or `package.module:factory` of another environment."""
    users: int = Field(5, ge=1)
    """Devices of a paper scenario."""
    speed: float = Field(50.0, gt=0)
    """Virtual seconds per second."""
    seed: int = Field(0, ge=0)
    """Seed of the environment's random numbers."""
