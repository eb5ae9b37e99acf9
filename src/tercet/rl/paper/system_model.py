"""Lines 17 to 20: the system model, trained on real experience alone.

It predicts the average response time of a joint action in a state. The next state of line 25 is
not modelled: in the worlds of this agent it does not depend on the action.
"""

from __future__ import annotations

import numpy as np

from tercet.rl.experience import Experience
from tercet.rl.paper.joint import Cost, JointActions, context
from tercet.rl.paper.networks import Adam, exported, learn, network_for
from tercet.rl.paper.parameters import Parameters
from tercet.rl.paper.replay import Memory
from tercet.rl.paper.settings import Epochs, HybridPaperSettings
from tercet.rl.platform import Platform


class SystemModel:
    """System(s, a; θ_s), and D_world."""

    def __init__(self, platform: Platform, settings: HybridPaperSettings, seed: int) -> None:
        """Raises ValueError for a platform of too many joint actions."""
        self.platform, self.settings = platform, settings
        self.joint = JointActions(platform)
        self.network = network_for(platform, settings.hidden)  # line 2
        self.network.initialise(seed, settings.initial_scale)
        self.cost = Cost(platform, settings.penalty, times=settings.penalty_times)
        self.epochs = Epochs(settings)
        self.memory = Memory(settings.capacity, self.network.inputs)  # line 3, D_world
        self._optimizer = Adam(self.network, settings.rate)
        self._rng = np.random.default_rng((seed, 1))

    def observe(self, experience: Experience) -> bool:
        """Line 12: store a real step; True when it is the last of its epoch."""
        row = self.network.rows(
            context(self.platform, experience.state),
            self.joint.digits[[self.joint.number(experience.assignment)]],
        )[0]
        ms = self.cost.of(experience)
        if self.settings.predicts == "response":
            ms = experience.average_ms
        self.memory.add(row, self.cost.scaled(ms))
        return self.epochs.count()[1]

    def end_epoch(self) -> None:
        """Lines 18 to 20: one uniform minibatch per session."""
        for _ in range(self.epochs.learning_sessions(self.settings.world_sessions)):
            batch = self.memory.sample(self.settings.batch, self._rng)
            learn(self.network, self._optimizer, batch)
        self.epochs.advance()

    def parameters(self) -> Parameters:
        """A copy of θ_s."""
        return exported(self.network, self.platform)
