"""A gateway of `cam-1` on a real broker."""

from __future__ import annotations

from pathlib import Path

import pytest

from tercet.messaging.bus import Bus
from tests.integration.services.gateways import Gateway, gateway, of_models


@pytest.fixture
def device(bus: Bus, models: Path) -> Gateway:
    """Without a decision; tests put one in force."""
    return gateway(bus, of_models(models))
