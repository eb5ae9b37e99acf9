"""`learning.v1.decider`: the decider's progress, for the dashboard and `tercet status`."""

from __future__ import annotations

from tercet.schemas.learning import Learning
from tercet.services.orchestrator.decide.decider_state import DeciderState
from tercet.services.orchestrator.decide.policy_versions import PolicyVersions
from tercet.services.orchestrator.decide.round_metrics import RoundMetrics


def learning_report(
    state: DeciderState, versions: PolicyVersions, metrics: RoundMetrics
) -> list[Learning]:
    """The report of the moment."""
    latest, known = metrics.latest, versions.state
    closed = latest.window if latest else 0
    left_ms, held_back = versions.exploration_budget
    return [
        Learning(
            owner="decider",
            role="decider",
            round=closed,
            version=known.in_force,
            executed_ms=latest.average_ms if latest else None,
            in_time=latest.answered_in_time if latest else None,
            exploring=state.exploring,
            policy=latest.policy if latest else None,
            behind=max(closed - known.adopted_round, 0) if latest else None,
            censored=metrics.missing,
            fallbacks=metrics.fallbacks,
            refused=known.rejections,
            rolled_back=known.rollbacks,
            pinned=known.pinned,
            regret_left_ms=left_ms,
            held_back=held_back,
        )
    ]
