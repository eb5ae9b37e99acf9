"""An agent's own CPU time, apart from the world's and the oracle's."""

from __future__ import annotations

import time

from tercet.rl.agent import Agent
from tercet.rl.experience import Experience, State
from tercet.rl.goal import Goal
from tercet.rl.platform import Assignment


class TimedAgent:
    """A `tercet.rl.agent.Agent` that adds up the CPU seconds of another one."""

    def __init__(self, agent: Agent) -> None:
        self.agent, self.cpu_s = agent, 0.0

    def act(self, state: State, goal: Goal) -> Assignment:
        """As the agent's."""
        begun = time.process_time()
        chosen = self.agent.act(state, goal)
        self.cpu_s += time.process_time() - begun
        return chosen

    def greedy(self, state: State, goal: Goal) -> Assignment:
        """As the agent's."""
        begun = time.process_time()
        chosen = self.agent.greedy(state, goal)
        self.cpu_s += time.process_time() - begun
        return chosen

    def observe(self, experience: Experience) -> None:
        """As the agent's."""
        begun = time.process_time()
        self.agent.observe(experience)
        self.cpu_s += time.process_time() - begun
