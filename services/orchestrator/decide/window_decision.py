"""The assignment of the next window: greedy, with trials where requests are to be expected."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from tercet.services.orchestrator.decide.held_trials import HeldTrials, asking
from tercet.services.orchestrator.decide.policy_interface import DecisionContext
from tercet.services.orchestrator.decide.schedule import EXPLORE, GREEDY

Choose = Callable[[str, DecisionContext], Awaitable[dict[str, str] | None]]
"""As `DecisionPolicy.choose`."""


@dataclass(frozen=True)
class Conditions:
    """What a decision depends on beside its context; a change ends all trials."""

    version: int | None
    """Version of the parameters in force; a newer one ends no trial."""
    exploring: bool
    resets: int


@dataclass(frozen=True)
class Chosen:
    """What is to be in force."""

    policy: str
    version: int | None
    assigned: dict[str, str]
    """Device to option, of all active devices."""
    greedy: dict[str, str]
    """The same without exploration."""


class WindowDecision:
    """Asks the policy, and remembers what is on trial."""

    def __init__(self, choose: Choose, window_s: float) -> None:
        self._choose, self._window_s = choose, window_s
        self._held = HeldTrials()
        self._latest: Chosen | None = None

    async def choose(self, context: DecisionContext, conditions: Conditions) -> Chosen:
        """Decide; a trial that waits for its requests stays, and so does what it was part of."""
        same = (
            context.active, context.goal, tuple(context.goals.items()), context.fleet,
            context.unavailable, conditions.exploring, conditions.resets,
        )  # fmt: skip
        held = self._held.held(same)
        if held is not None and self._latest is not None:
            return replace(self._latest, assigned=held)
        greedy = await self._choose(GREEDY, context) or {}
        assigned, name = greedy, GREEDY
        if conditions.exploring:
            name, assigned = EXPLORE, {**greedy, **await self._explored(context)}
        self._held.start(assigned, greedy, same, context.demand)
        self._latest = Chosen(name, conditions.version, assigned, greedy)
        return self._latest

    async def _explored(self, context: DecisionContext) -> dict[str, str]:
        """Options of the devices that may be expected to make a request soon."""
        some = asking(context.demand, self._window_s)
        active = tuple(device for device in context.active if device in some)
        if not active:
            return {}
        asked = replace(context, active=active, held=self._held.cost)
        return await self._choose(EXPLORE, asked) or {}

    def reported(self, device: str, option: str) -> None:
        """A request was made as assigned."""
        self._held.reported(device, option)
