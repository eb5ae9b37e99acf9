"""The settings of `hybrid`, each with its default and what it is for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HybridSettings:
    """Defaults are in log units or counts; none refers to a platform."""

    members: int = 5
    """M: members of the system model, and heads of the policy."""
    hidden: int = 32
    """Width of each member's hidden layer."""
    hidden_reach: float = 1.0
    """Standard deviation of the hidden layer's fixed random weights."""
    plans: int = 2
    """Planned experiences per member and round: the solver's proposal, then perturbations of it."""
    planners: int = 1
    """Members that plan in one round when all loops share a process (`Hybrid`), in turn."""
    plan_capacity: int = 64
    """Planned experiences kept per member (D_plan)."""
    plan_batch: int = 16
    """Planned experiences per head in one update, drawn from D_plan by priority."""
    plan_weight: float = 0.05
    """Weight of all planned labels over all real ones when α = 0; 0 switches planning off, and
    with it, in `Hybrid`, the system model."""
    world_capacity: int = 2000
    """Mean-only labels kept (D_world); labels of single devices need no buffer, only sums."""
    memory: float = 2000.0
    """Rounds after which the weight of a real label is 1/e of a new one's."""
    outlier: float = 9.0
    """Squared standardised error from which a label counts less (Huber), and is a surprise."""
    alarm: int = 3
    """Consecutive surprises of one device after which the world is taken to have changed."""
    alarm_keep: float = 0.02
    """Weight of old labels after that, as a share; 1 switches the alarm off."""
    alarm_pause: int = 20
    """Rounds after the start or an alarm without another alarm: the parameters still settle."""
    epsilon: float | None = None
    """None: explore by uncertainty, one head a round. Else epsilon-greedy (for the ablation)."""
    censored_factor: float = 4.0
    """Variance factor of a label that is only a lower bound."""
