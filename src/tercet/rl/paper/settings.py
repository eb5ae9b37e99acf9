"""Settings of the paper's agent, and the epochs by which its parts count their sessions.

The paper gives no value for any of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class HybridPaperSettings:
    """Names follow Algorithm 1. Lines and readings: docs/decisions/0042."""

    real_planning: bool = False
    """How line 30 is read: as a step of the system model (False), or as one that is executed, and
    counted, too (True)."""
    predicts: Literal["response", "reward"] = "response"
    """What the system model learns: the average response time, as the text says, to which the
    known penalty is added; or the reward, penalty included."""
    feasible_only: bool = False
    """Whether lines 9, 10 and 24 leave out what misses the goal. The listing does not; `hybrid`
    knows the accuracies of all variants."""
    epochs: int = 30
    """N: epochs over which α rises from 0 to 1; afterwards it stays 1."""
    direct_sessions: int = 8
    direct_steps: int = 2
    world_sessions: int = 40
    suggest_sessions: int = 1
    plan_sessions: int = 40
    best_actions: int = 512
    """K."""
    planned: int = 2048
    """Size of D_plan: four plannings of K, so that old predictions leave it."""
    keep_first_guess: bool = False
    """Line 33 as printed keeps for ever what the model predicted for an action first."""
    average: float = 0.02
    """Share by which Q' follows Q at each update. The listing copies it once per session; averaging
    is more stable."""
    epsilon: float = 0.3
    nearby: float = 0.8
    """Share of line 9's random actions that change only one device of the greedy one; the listing
    does not define their distribution."""
    hidden: tuple[int, ...] = (128, 64)
    initial_scale: float = 1.0
    """Spread of the first layer's initial weights, in units of torch's default."""
    rate: float = 1e-3
    """Adam's step size."""
    batch: int = 128
    capacity: int = 20_000
    """Size of D_direct and of D_world."""
    penalty: float = 2.0
    """Cost of a missed goal, as a multiple of what `penalty_times` says."""
    penalty_times: Literal["slowest", "fastest"] = "fastest"
    """Mean response time that the penalty is a multiple of: the slowest seen, or the fastest that
    met the goal. The paper prints no penalty."""
    priority: float = 0.6
    """Exponent of prioritised replay; 0 is uniform."""
    refresh: int = 50
    """Real steps between two scorings of all joint actions in one process: they take tens of
    milliseconds. In between, the best of them are scored again."""

    @classmethod
    def with_real_plans(cls) -> HybridPaperSettings:
        """Line 30 read as a real step; K is smaller, because each of the K costs a real step."""
        return cls(real_planning=True, best_actions=16)


class Epochs:
    """Counts real steps into epochs (lines 4, 5, 7 and 8), and gives each its sessions.

    The parts of the algorithm may run in different processes: each counts by itself.
    """

    def __init__(self, settings: HybridPaperSettings) -> None:
        self._settings = settings
        self._epoch, self._steps = 1, 0

    @property
    def alpha(self) -> float:
        """Line 5; 1 from the Nth epoch on."""
        return min(1.0, self._epoch / self._settings.epochs)

    def learning_sessions(self, most: int) -> int:
        """Lines 7 and 18: (1 - α/2) of `most`, at least one if there are any."""
        return min(most, max(1, round((1 - self.alpha / 2) * most)))

    def planning_sessions(self, most: int) -> int:
        """Lines 22 and 35: (α + 1)/2 of `most`, at least one if there are any."""
        return min(most, max(1, round((self.alpha + 1) / 2 * most)))

    def count(self) -> tuple[bool, bool]:
        """Count a real step; whether it ends a direct session, and the epoch's direct sessions."""
        settings = self._settings
        self._steps += 1
        session = self._steps % settings.direct_steps == 0
        last = self.learning_sessions(settings.direct_sessions) * settings.direct_steps
        return session, self._steps >= last

    def advance(self) -> None:
        """Begin the next epoch."""
        self._epoch, self._steps = self._epoch + 1, 0
