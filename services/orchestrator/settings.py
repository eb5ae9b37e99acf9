"""Settings of the orchestrator, in both roles."""

from __future__ import annotations

from pydantic import Field, field_validator

from tercet.process.settings import BusSettings, PolicyName, SchedulerName
from tercet.schemas.fleet import GoalText


class OrchestratorSettings(BusSettings):
    """Read from `TERCET_…`."""

    policy: PolicyName = "hybrid"
    """The agent: `hybrid`, or `hybrid-paper` (extra `paper`, at most five devices)."""
    goal: GoalText | None = None
    """Goal until someone sets one (`tercet goal`): min, max, or percent; unset: the default of each
    model family, or `max` where none is known."""
    goals: dict[str, GoalText] = Field(default_factory=dict)
    """Goals of single model families, as JSON: `{"doors": "90"}`."""
    scheduler: SchedulerName = "rounds"
    """`rounds`: devices are told to make a request each, at once, for benchmarks and comparisons;
    `windows`: applications make requests at their own pace, and nothing asks them to; but rounds,
    where `rounds` limits them or the paper's agent decides."""
    window: float = Field(1.0, gt=0, le=3600)
    """Seconds of a window: one assignment is in force in it. Of the scheduler `windows` only, like
    `deadline` and `demand_memory`."""
    deadline: float = Field(5.0, gt=0, le=3600)
    """Seconds after which an answer is of no use, where a request names none: it then costs twice
    as much. A window waits at most as long for its outcomes."""
    demand_memory: float = Field(60.0, gt=0)
    """Seconds over which requests per second are averaged."""
    rounds: int | None = Field(None, ge=1)
    """Learning rounds before evaluation; unset: learning never ends."""
    after: int = Field(0, ge=0)
    """Rounds that were done before this run began, in earlier runs on the same streams."""
    evaluations: int = Field(12, ge=0)
    """Evaluation rounds of each policy after the learning rounds."""
    round_period: float = Field(0.5, ge=0)
    """Seconds from one round's opening to the next one's, at least."""
    round_timeout: float = Field(5.0, gt=0)
    """Seconds after which a round closes without the outcomes that are missing."""
    max_staleness: int | None = Field(None, ge=1)
    """Rounds that a round's parameters may be behind; 1: they have seen every round before it, as
    in one process (docs/decisions/0008). Unset: rounds never wait for learning."""
    staleness_patience: float = Field(30.0, gt=0)
    """Seconds after which a round that waits for parameters goes on without."""
    evaluation_patience: float = Field(60.0, gt=0)
    """Seconds to wait, before evaluation, for parameters that have seen every learning round."""
    regret_budget: float = Field(0.1, ge=0)
    """What exploring may cost in the long run, as a share of the average response time, after an
    initial budget of half a round's time; when it is spent, rounds are greedy until more is saved.
    1000 limits nothing."""
    rate: float = Field(100.0, gt=0)
    """Requests for decisions a second, and reported requests a second, that each device may send in
    the long run; five seconds' worth may come at once. What is beyond is refused (requests: the
    device falls back) or ignored (outcomes; their stream keeps them), and counted."""
    absent: float = Field(5.0, gt=0)
    """Seconds without a message from a node after which it counts as absent."""
    forget: float = Field(3600.0, gt=0)
    """Seconds without a message from a node after which it is removed from the fleet. What was
    learned of it is kept."""
    devices: int = Field(1, ge=1)
    """Devices to wait for before the first round."""
    nodes: int = Field(1, ge=1)
    """Nodes (devices, edges, cloud) to wait for before the first round."""
    max_plan_age: int = Field(10, ge=0)
    """Versions of a member's parameters after which its planned experience is dropped as stale."""
    seed: int = 0
    """Seed of this process's random numbers."""

    @field_validator("goal", mode="before")
    @classmethod
    def _unset(cls, goal: object) -> object:
        """A stack file cannot leave a variable out: an empty one is none."""
        return None if goal == "" else goal

    @property
    def deadline_ms(self) -> float | None:
        """The deadline of requests that name none; None in rounds, which have none."""
        return 1000.0 * self.deadline if self.free_running else None

    @property
    def free_running(self) -> bool:
        """Whether windows follow the clock."""
        return self.scheduler == "windows" and self.rounds is None and self.policy == "hybrid"

    @field_validator("goal", mode="before")
    @classmethod
    def _empty_is_unset(cls, goal: object) -> object:
        """A stack file sets every variable, if only to nothing."""
        return None if goal == "" else goal
