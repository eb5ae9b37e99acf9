"""Publishes the regret of each round's assignment; for display only, no agent may read it."""

from __future__ import annotations

import asyncio

from tercet.messaging.bus import Bus
from tercet.schemas.experience_v2 import Experience
from tercet.services.simulator.regret_evaluator import RegretEvaluator
from tercet.sim.environment import Environment


class TruthPublisher:
    """Evaluates each closed round against the optimum of the environment."""

    def __init__(self, bus: Bus, world: Environment) -> None:
        self._bus, self._evaluator = bus, RegretEvaluator(world)

    async def on_experience(self, experience: Experience) -> None:
        """Evaluate a round that has closed, and publish the result."""
        if await asyncio.to_thread(self._evaluator.evaluate, experience):
            await self._bus.publish(self._evaluator.truth(experience))
