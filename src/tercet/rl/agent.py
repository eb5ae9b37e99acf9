"""The interface that all agents share: act, greedy, observe."""

from __future__ import annotations

from typing import Protocol

from tercet.rl.experience import Experience, State
from tercet.rl.goal import Goal
from tercet.rl.platform import Assignment


class Agent(Protocol):
    """One real step is one `act` that is executed, followed by one `observe`."""

    def act(self, state: State, goal: Goal) -> Assignment:
        """Choose what to execute next; may explore."""
        ...

    def greedy(self, state: State, goal: Goal) -> Assignment:
        """The assignment that it estimates to be best; changes nothing and costs no real step."""
        ...

    def observe(self, experience: Experience) -> None:
        """Learn from one executed round."""
        ...
