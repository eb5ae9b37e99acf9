"""AdaDeep as the paper uses it: a DQN over joint actions, without a model.

The context rarely changes, so all joint actions are scored once every `refresh` steps instead of
at every step; in between only the best of them are scored again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tercet.rl.experience import Experience, State
from tercet.rl.goal import Goal
from tercet.rl.paper.dqn import PrioritisedMemory, Shortlist, learn
from tercet.rl.paper.joint import Cost, JointActions, context
from tercet.rl.paper.joint_network import Adam, Floats, JointNetwork, polyak_update
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
    discount: float = 0.0
    """γ; in a constant state it only adds a constant to every value."""
    penalty: float = 3.0
    """Cost of a missed goal, in slowest means seen."""
    logarithm: bool = True
    """Learn log cost rather than cost."""
    priority: float = 0.0
    """Exponent of prioritised replay; 0 is uniform."""


class AdaDeep:
    """A `tercet.rl.agent.Agent`."""

    def __init__(
        self,
        platform: Platform,
        seed: int = 0,
        settings: AdaDeepSettings | None = None,
        joint: JointActions | None = None,
    ) -> None:
        """`joint`: the joint actions to choose from; all of them by default."""
        self.platform, self.settings = platform, settings or AdaDeepSettings()
        self.joint = joint or JointActions(platform)
        self.rng = np.random.default_rng(seed)
        n, width = len(platform.devices), len(context(platform, State(platform.devices)))
        hidden, options = self.settings.hidden, len(platform.options)
        self.network = JointNetwork(width, n, options, hidden, seed)
        self.target = JointNetwork(width, n, options, hidden, seed)
        self.optimizer = Adam(self.network, self.settings.rate, self.settings.fade)
        inputs = self.network.inputs
        self.memory = PrioritisedMemory.of(self.settings.capacity, inputs, self.settings.priority)
        self.cost = Cost(platform, self.settings.penalty, self.settings.logarithm)
        self.steps, self.scored_at = 0, -1
        self.scored_for: State | None = None
        self.shortlist: Shortlist | None = None
        self.best_value = 0.0
        self.cached: tuple[State, Floats] | None = None

    def act(self, state: State, goal: Goal) -> Assignment:
        """Epsilon-greedy."""
        settings = self.settings
        chance = max(settings.floor, settings.epsilon * 0.5 ** (self.steps / settings.half_life))
        random = self.rng.random() < chance
        if random and self.rng.random() >= settings.nearby:
            return self.joint.assignment(int(self.rng.integers(self.joint.count)), state)
        # Explore by the network itself: its average reacts to a costly action later.
        action = self._current_shortlist(state).best(self.network)[0]
        if random:
            action = self.joint.neighbour(action, self.rng)
        return self.joint.assignment(action, state)

    def greedy(self, state: State, goal: Goal) -> Assignment:
        """The action of least cost by the target network, of the current shortlist."""
        action, self.best_value = self._current_shortlist(state).best(self.target)
        return self.joint.assignment(action, state)

    def observe(self, experience: Experience) -> None:
        """Store the transition; every few steps, one update."""
        self.steps += 1
        cost = self.cost.scaled(self.cost.of(experience))
        action = self.joint.number(experience.assignment)
        inputs = self._context(experience.state)
        row = self.network.rows(inputs, self.joint.digits[[action]])[0]
        self.memory.add(row, action, cost)
        if self.steps % self.settings.train_every == 0:
            self._update()

    def _update(self) -> None:
        """One prioritised minibatch."""
        at, weight = self.memory.sample(self.settings.batch, self.rng)
        upcoming = self.settings.discount * self.best_value
        batch = self.memory.memory.batch(at, upcoming, weight)
        errors = learn(self.network, self.optimizer, batch)
        polyak_update(self.target, self.network, self.settings.average)
        self.memory.prioritise(at, errors)

    def _context(self, state: State) -> Floats:
        """The network's input for a state, cached as long as the state object stays the same."""
        if self.cached is None or self.cached[0] is not state:
            self.cached = (state, context(self.platform, state).astype(np.float32))
        return self.cached[1]

    def _current_shortlist(self, state: State) -> Shortlist:
        """The best joint actions; all are scored again at a refresh or for another state."""
        due = self.steps // self.settings.refresh != self.scored_at
        if self.shortlist is None or due or state != self.scored_for:
            self.shortlist = Shortlist.of(self.target, self._context(state), self.joint.digits)
            self.scored_at, self.scored_for = self.steps // self.settings.refresh, state
        return self.shortlist
