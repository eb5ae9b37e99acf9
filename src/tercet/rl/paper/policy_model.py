"""Lines 6 to 16 and 35 to 38: Q learns from real experience, and from what was planned."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from tercet.rl.experience import Experience
from tercet.rl.paper.joint import Cost, JointActions, context
from tercet.rl.paper.networks import (
    Adam,
    exported,
    learn,
    network_for,
    polyak_update,
)
from tercet.rl.paper.parameters import Parameters
from tercet.rl.paper.replay import Floats, Memory
from tercet.rl.paper.settings import Epochs, HybridPaperSettings
from tercet.rl.platform import Platform


class PolicyModel:
    """Q(s, a; θ_Q), Q', D_direct and D_plan."""

    def __init__(self, platform: Platform, settings: HybridPaperSettings, seed: int) -> None:
        """Raises ValueError for a platform of too many joint actions."""
        self.platform, self.settings = platform, settings
        self.joint = JointActions(platform)
        self.q, self.target = (  # line 1
            network_for(platform, settings.hidden).initialise(seed, settings.initial_scale)
            for _ in range(2)
        )
        self.cost = Cost(platform, settings.penalty, times=settings.penalty_times)
        self.epochs = Epochs(settings)
        inputs = self.q.inputs
        self.direct = Memory(settings.capacity, inputs, settings.priority)  # line 3
        lasting = settings.real_planning or settings.keep_first_guess
        planned = settings.capacity if lasting else settings.planned
        self.plan = Memory(planned, inputs, settings.priority)
        self._optimizer = Adam(self.q, settings.rate)
        self._rng = np.random.default_rng((seed, 0))

    def observe(self, experience: Experience) -> bool:
        """Lines 12 to 16: store a real step, and learn when it ends a session.

        Returns True when it is the last of its epoch.
        """
        ms = self.cost.of(experience)
        self.direct.add(self._row(experience)[0], self.cost.scaled(ms))
        session, epoch = self.epochs.count()
        if session:
            self._update(self.direct)
        return epoch

    def observe_planned(self, planned: Iterable[Experience]) -> None:
        """Lines 29 to 33: store what was planned.

        Old predictions leave D_plan as new ones come; what was measured, or is kept as first
        guessed, stays, and is not stored twice.
        """
        settings = self.settings
        lasting = settings.real_planning or settings.keep_first_guess
        for experience in planned:
            row, action = self._row(experience)
            if lasting and action in self.plan:
                continue
            ms = experience.average_ms  # A model of the reward predicts the penalty, too.
            if settings.predicts == "response" or settings.real_planning:
                ms = self.cost.of_predicted(experience)
            self.plan.add(row, self.cost.scaled(ms), action if lasting else None)

    def end_epoch(self) -> None:
        """Lines 35 to 38: learn from D_plan."""
        if self.plan.size:
            for _ in range(self.epochs.planning_sessions(self.settings.plan_sessions)):
                self._update(self.plan)
        self.epochs.advance()

    def parameters(self) -> Parameters:
        """A copy of Q', which decides."""
        return exported(self.target, self.platform)

    def _update(self, memory: Memory) -> None:
        """One prioritised minibatch."""
        batch = memory.sample(self.settings.batch, self._rng)
        memory.prioritise(batch, learn(self.q, self._optimizer, batch))
        polyak_update(self.target, self.q, self.settings.average)  # lines 16, 38

    def _row(self, experience: Experience) -> tuple[Floats, int]:
        action = self.joint.number(experience.assignment)
        inputs = context(self.platform, experience.state)
        return self.q.rows(inputs, self.joint.digits[[action]])[0], action
