"""AdaDeep as the paper uses it: a DQN over joint actions, without a model.

The context rarely changes, so all joint actions are scored once every `refresh` steps instead of
at every step; in between only the best of them are scored again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tercet.rl.experience import Experience, State
from tercet.rl.goal import Goal
from tercet.rl.paper.agent import Cached
from tercet.rl.paper.decision import Candidates, allowed_actions, randomised
from tercet.rl.paper.joint import Cost, JointActions, Mask, context
from tercet.rl.paper.networks import Adam, learn, network_for, polyak_update
from tercet.rl.paper.replay import Memory
from tercet.rl.platform import Assignment, Platform


@dataclass(frozen=True, slots=True)
class AdaDeepSettings:
    """The best of the recorded random search (`python -m benchmarks tune`), improved by hand.

    The improvements: an update at every step, and random actions that mostly change one device
    (`nearby`).
    """

    hidden: tuple[int, ...] = (128, 64)
    rate: float = 1e-3
    """Adam's step size at first."""
    fade: float = 3e-4
    """Decay of the step size: 1 / (1 + fade · updates)."""
    batch: int = 64
    capacity: int = 20_000
    train_every: int = 1
    """Real steps per update."""
    refresh: int = 50
    """Real steps between two scorings of all actions by the target network."""
    average: float = 0.02
    """Share of the network in the target network's moving average, per update."""
    epsilon: float = 1.0
    half_life: float = 1000.0
    floor: float = 0.2
    nearby: float = 0.8
    """Share of the random actions that change only one device of the greedy one."""
    penalty: float = 3.0
    """Cost of a missed goal, in slowest means seen."""
    logarithm: bool = True
    """Learn log cost rather than cost."""
    priority: float = 0.0
    """Exponent of prioritised replay; 0 is uniform."""
    feasible_only: bool = False
    """Whether to choose only among what meets the goal, as `hybrid` does."""


class AdaDeep:
    """A `tercet.rl.agent.Agent`. γ is 0: the next state does not depend on the action."""

    def __init__(
        self, platform: Platform, seed: int = 0, settings: AdaDeepSettings | None = None
    ) -> None:
        self.platform, self.settings = platform, settings or AdaDeepSettings()
        self.joint = JointActions(platform)
        self.rng = np.random.default_rng(seed)
        hidden = self.settings.hidden
        self.network, self.target = (network_for(platform, hidden).initialise(seed) for _ in "QT")
        self.optimizer = Adam(self.network, self.settings.rate)
        self.memory = Memory(self.settings.capacity, self.network.inputs, self.settings.priority)
        self.cost = Cost(platform, self.settings.penalty, self.settings.logarithm)
        self.steps = 0
        self.allowed: Cached[Mask] = Cached(None)
        self.candidates: Cached[Candidates] = Cached(self.settings.refresh)

    def act(self, state: State, goal: Goal) -> Assignment:
        """Epsilon-greedy."""
        settings = self.settings
        chance = max(settings.floor, settings.epsilon * 0.5 ** (self.steps / settings.half_life))
        # Explore by the network itself: its average reacts to a costly action later.
        action = self._candidates(state, goal).best(self.network)[0]
        allowed = self._allowed(state, goal)
        action = randomised(self.joint, action, allowed, chance, settings.nearby, self.rng)
        return self.joint.assignment(action, state)

    def greedy(self, state: State, goal: Goal) -> Assignment:
        """The action of least cost by the target network, of the current candidates."""
        action = self._candidates(state, goal).best(self.target)[0]
        return self.joint.assignment(action, state)

    def observe(self, experience: Experience) -> None:
        """Store the transition; every few steps, one update."""
        self.steps += 1
        cost = self.cost.scaled(self.cost.of(experience))
        action = self.joint.number(experience.assignment)
        inputs = context(self.platform, experience.state)
        self.memory.add(self.network.rows(inputs, self.joint.digits[[action]])[0], cost)
        if self.steps % self.settings.train_every == 0:
            self._update()

    def _update(self) -> None:
        """One prioritised minibatch."""
        settings = self.settings
        rate = settings.rate / (1.0 + settings.fade * self.steps / settings.train_every)
        self.optimizer.rate = rate
        batch = self.memory.sample(settings.batch, self.rng)
        self.memory.prioritise(batch, learn(self.network, self.optimizer, batch))
        polyak_update(self.target, self.network, settings.average)

    def _allowed(self, state: State, goal: Goal) -> Mask:
        feasible_only = self.settings.feasible_only
        return self.allowed.get(
            state, goal, 0, lambda: allowed_actions(self.joint, state, goal, feasible_only)
        )

    def _candidates(self, state: State, goal: Goal) -> Candidates:
        """The best joint actions; all are scored again at a refresh or for another state."""
        return self.candidates.get(
            state,
            goal,
            self.steps,
            lambda: Candidates.of(self.target, self.joint, state, self._allowed(state, goal)),
        )
