"""The paper's own agent: Algorithm 1 as printed, line numbers in the comments.

The listing leaves open what "take step" in line 30 means. `real_planning=False` asks the system
model, as "planning" suggests; `True` executes the action, and counts it as a real step.

The paper gives no value for any constant; the defaults are the best of a recorded random search,
made stronger by hand (benchmarks/results/NOTES.md).
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

import numpy as np

from tercet.rl.experience import Experience, State
from tercet.rl.goal import Goal
from tercet.rl.paper.dqn import PrioritisedMemory, Shortlist, learn
from tercet.rl.paper.joint import Cost, JointActions, context
from tercet.rl.paper.joint_network import Adam, Floats, JointNetwork, polyak_update
from tercet.rl.platform import Assignment, Platform


@dataclass(frozen=True, slots=True)
class HybridPaperSettings:
    """Names follow Algorithm 1."""

    real_planning: bool = False
    """How line 30 is read."""
    epochs: int = 30
    """N: epochs over which α rises from 0 to 1; afterwards it stays 1."""
    direct_sessions: int = 8
    direct_steps: int = 2
    world_sessions: int = 40
    suggest_sessions: int = 2
    suggest_steps: int = 1
    plan_sessions: int = 40
    best_actions: int = 64
    """K."""
    keep_first_guess: bool = False
    """As printed, line 33 keeps r as the model first predicted it, so early errors stay in Q.
    False: planned costs follow the model as it is trained."""
    average: float = 0.02
    """Share by which the target network Q' follows Q at each update. The listing copies it whole
    once per session; averaging is more stable. Q' decides."""
    refresh: int = 50
    """Real steps between two scorings of all joint actions, by Q' and by the system model."""
    epsilon: float = 0.3
    """Constant in the listing."""
    nearby: float = 0.8
    """Share of line 9's random actions that change only one device of the greedy one; the listing
    does not define their distribution."""
    hidden: tuple[int, ...] = (128, 64)
    rate: float = 1e-3
    """Adam's step size at first."""
    fade: float = 0.0
    """How fast that falls: as 1 / (1 + fade · updates)."""
    batch: int = 128
    capacity: int = 20_000
    discount: float = 0.0
    """γ; in a constant state it only adds a constant to every value."""
    penalty: float = 1.5
    logarithm: bool = True
    """Learn log cost rather than cost."""
    priority: float = 0.0


StepResult = tuple[float, State]
"""Result of a real step for the algorithm: its cost (`joint.Cost.scaled`), and the next state."""


class HybridPaper:
    """A `tercet.rl.agent.Agent` around the algorithm, which asks for real steps by `yield`."""

    def __init__(
        self,
        platform: Platform,
        seed: int = 0,
        settings: HybridPaperSettings | None = None,
        joint: JointActions | None = None,
    ) -> None:
        """`joint`: the joint actions to choose from; all of them by default."""
        self.platform, self.settings = platform, settings or HybridPaperSettings()
        self.joint = joint or JointActions(platform)
        self.rng = np.random.default_rng(seed)
        self.cost = Cost(platform, self.settings.penalty, self.settings.logarithm)
        self.state = State(platform.devices)
        self.width = len(context(platform, self.state))
        n, options = len(platform.devices), len(platform.options)
        shape = (self.width, n, options, self.settings.hidden)
        self.q = JointNetwork(*shape, seed)  # line 1
        self.target = JointNetwork(*shape, seed)
        self.system = JointNetwork(*shape, seed + 1)  # line 2
        self.q_optimizer = Adam(self.q, self.settings.rate, self.settings.fade)
        self.system_optimizer = Adam(self.system, self.settings.rate, self.settings.fade)
        capacity, inputs = self.settings.capacity, self.q.inputs
        self.direct = PrioritisedMemory.of(capacity, inputs, self.settings.priority)  # line 3
        self.plan = PrioritisedMemory.of(capacity, inputs, self.settings.priority)
        self.planned_at: dict[int, int] = {}
        self.modelled_steps, self.steps, self.rescored = 0, 0, 0
        self.best_value = 0.0
        self.seen: tuple[State, Floats] | None = None
        self.suggested: tuple[int, State, Shortlist] | None = None
        self._rescore()
        self.run = self._algorithm()
        self.pending: int | None = None

    def act(self, state: State, goal: Goal) -> Assignment:
        """The real step that Algorithm 1 asks for next."""
        if self.pending is None:
            self.state = state
            self.pending = next(self.run)
        return self.joint.assignment(self.pending, state)

    def greedy(self, state: State, goal: Goal) -> Assignment:
        """argmin Q'."""
        if state != self.listed_for:
            self.state = state
            self._rescore()
        action, self.best_value = self.shortlist.best(self.target)
        return self.joint.assignment(action, state)

    def observe(self, experience: Experience) -> None:
        """Hand the result of the real step to the algorithm."""
        result = (self.cost.scaled(self.cost.of(experience)), experience.next_state)
        self.pending = self.run.send(result)

    def _algorithm(self) -> Generator[int, StepResult, None]:
        """Lines 4 to 38; yields a joint action wherever the listing takes a real step."""
        settings, epoch = self.settings, 0
        while True:  # line 4; the caller ends the run
            epoch += 1
            alpha = min(1.0, epoch / settings.epochs)  # line 5
            for _ in range(_share(1 - alpha / 2, settings.direct_sessions)):  # line 7
                for _ in range(settings.direct_steps):  # line 8
                    action = self._explore()  # lines 9, 10
                    cost, after = yield action  # line 11
                    self.steps += 1
                    self.direct.add(self._row(action), action, cost)  # line 12
                    self.state = after  # line 13
                self._update(self.direct, self.q, self.q_optimizer)  # lines 14, 15
                if self.steps >= self.rescored + settings.refresh:
                    self._rescore()  # line 16
            for _ in range(_share(1 - alpha / 2, settings.world_sessions)):  # line 18
                self._update_system()  # lines 19, 20
            for _ in range(_share((alpha + 1) / 2, settings.suggest_sessions)):  # line 22
                for _ in range(settings.suggest_steps):  # line 23
                    yield from self._suggest()
            for _ in range(_share((alpha + 1) / 2, settings.plan_sessions)):  # line 35
                self._update(self.plan, self.q, self.q_optimizer)  # lines 36, 37
            if self.steps >= self.rescored + settings.refresh:
                self._rescore()

    def _suggest(self) -> Generator[int, StepResult, None]:
        """Lines 24 to 34. The next state of line 25 is the present one: nothing else is seen."""
        promising = self._promising()
        scores = self.system(promising.rows)  # line 24
        most = min(self.settings.best_actions, len(scores) - 1)
        self._refresh_planned_costs()
        for k in np.argpartition(scores, most)[:most].tolist():  # lines 26 to 28
            action = int(promising.actions[k])
            at = self.planned_at.get(action)
            if at is None or self.plan.memory.action[at] != action:  # line 29
                if self.settings.real_planning:
                    cost, self.state = yield action  # line 30, read as a real step
                else:
                    cost = float(scores[k])  # line 30, read as a modelled one
                    self.modelled_steps += 1
                self.planned_at[action] = self.plan.add(self._row(action), action, cost)  # line 31
            else:
                self.plan.memory.rows[at, : self.width] = self._context()  # line 33

    def _refresh_planned_costs(self) -> None:
        """Set planned costs to the model's present predictions; real ones stay."""
        settings, memory = self.settings, self.plan.memory
        if memory.size and not settings.real_planning and not settings.keep_first_guess:
            memory.cost[: memory.size] = self.system(memory.rows[: memory.size])

    def _explore(self) -> int:
        """Lines 9 and 10."""
        random = self.rng.random() < self.settings.epsilon
        if random and self.rng.random() >= self.settings.nearby:
            return int(self.rng.integers(self.joint.count))
        action = self.shortlist.best(self.q)[0]
        return self.joint.neighbour(action, self.rng) if random else action

    def _update(self, buffer: PrioritisedMemory, network: JointNetwork, optimizer: Adam) -> None:
        """One prioritised minibatch; nothing while the buffer is empty."""
        if not buffer.memory.size:
            return
        settings = self.settings
        at, weight = buffer.sample(settings.batch, self.rng)
        batch = buffer.memory.batch(at, settings.discount * self.best_value, weight)
        buffer.prioritise(at, learn(network, optimizer, batch))
        polyak_update(self.target, network, settings.average)  # lines 16, 38

    def _update_system(self) -> None:
        """Lines 19 and 20: D_world holds what D_direct holds, drawn uniformly."""
        memory = self.direct.memory
        at = self.rng.integers(0, memory.size, self.settings.batch)
        batch = memory.batch(at, 0.0, np.ones(len(at)))
        learn(self.system, self.system_optimizer, batch)

    def _context(self) -> Floats:
        """The networks' input for the present state, cached as long as it is the same object."""
        if self.seen is None or self.seen[0] is not self.state:
            self.seen = (self.state, context(self.platform, self.state).astype(np.float32))
        return self.seen[1]

    def _row(self, action: int) -> Floats:
        """One joint action in the present state, as the networks take it."""
        row: Floats = self.q.rows(self._context(), self.joint.digits[[action]])[0]
        return row

    def _promising(self) -> Shortlist:
        """The best joint actions by the system model, listed again every `refresh` real steps."""
        due = self.suggested is None or self.steps >= self.suggested[0] + self.settings.refresh
        if self.suggested is None or due or self.suggested[1] is not self.state:
            listed = Shortlist.of(self.system, self._context(), self.joint.digits)
            self.suggested = (self.steps, self.state, listed)
        return self.suggested[2]

    def _rescore(self) -> None:
        """Score all joint actions by Q'; the best of them stay listed until the next time."""
        self.shortlist = Shortlist.of(self.target, self._context(), self.joint.digits)
        self.rescored, self.listed_for = self.steps, self.state


def _share(part: float, sessions: int) -> int:
    """A share of the sessions, at least one."""
    return max(1, round(part * sessions))
