"""Training progress as other services report it: parameters, members, workers, rates, truth."""

from __future__ import annotations

from tercet.schemas.learning import Learning
from tercet.schemas.parameters import Parameters
from tercet.schemas.truth import Truth
from tercet.schemas.worker import Worker
from tercet.services.dashboard.sanitise import clip, finite
from tercet.services.dashboard.state_store import StateStore
from tercet.services.dashboard.time_series import TimeSeries

MAX_MEMBERS, MAX_WORKERS, MAX_BUFFERS = 16, 64, 8
"""Members, workers, and buffers of one trainer that are shown."""
WORKER_TIMEOUT_S = 20.0
"""Seconds without a message after which a worker is no longer shown."""


class TrainingProgress:
    """The sections `members` and `workers` of the state, and part of `site`.

    `now`: monotonic seconds; `wall`: seconds since 1970.
    """

    def __init__(self, state: StateStore, series: TimeSeries) -> None:
        self._state, self._series = state, series
        self._worker_seen: dict[str, float] = {}

    def on_parameters(self, parameters: Parameters, now: float, wall: float) -> None:
        """Show a new version of an owner's parameters."""
        if self._has_room("members", parameters.owner, MAX_MEMBERS):
            self._state.put(
                "members",
                parameters.owner,
                version=parameters.version,
                learned=parameters.learned,
                round=parameters.round,
            )

    def on_worker(self, worker: Worker, now: float, wall: float) -> None:
        """Show a worker and its slots, or remove one that leaves."""
        if worker.leaving:
            self._state.drop("workers", worker.worker)
            self._worker_seen.pop(worker.worker, None)
        elif self._has_room("workers", worker.worker, MAX_WORKERS):
            self._worker_seen[worker.worker] = now
            self._state.put("workers", worker.worker, slots=list(worker.slots[:MAX_MEMBERS]))

    def on_learning(self, report: Learning, now: float, wall: float) -> None:
        """Show the progress that the decider, the trainer or a member reports."""
        if report.role == "decider":
            self._state.put(
                "site",
                "decider",
                behind=report.behind,
                exploring=report.exploring,
                censored=report.censored,
                fallbacks=report.fallbacks,
                version=report.version,
            )
            return
        if self._has_room("members", report.owner, MAX_MEMBERS):
            self._state.put(
                "members", report.owner, error=finite(report.error), holder=report.holder
            )
        if report.role == "learner":
            self._on_trainer(report, wall)
        else:
            errors = [e for m in self._state.section("members").values() if (e := m.get("error"))]
            self._series.report(wall, model_error=max(errors, default=None))

    def on_truth(self, truth: Truth, now: float, wall: float) -> None:
        """Show the optimum and the regret that a simulated world reports."""
        self._series.report(
            wall,
            oracle=round(truth.oracle_ms, 2),
            greedy=truth.greedy_ms,
            regret=finite(truth.regret),
        )
        self._state.put(
            "site",
            "truth",
            oracle_ms=round(truth.oracle_ms, 2),
            greedy_ms=round(truth.greedy_ms, 2),
            regret=finite(truth.regret),
            steps=truth.steps_to_optimal,
        )

    def apply_timeouts(self, now: float) -> None:
        """Remove workers that have not reported for WORKER_TIMEOUT_S."""
        expired = [w for w, seen in self._worker_seen.items() if now - seen > WORKER_TIMEOUT_S]
        for worker in expired:
            del self._worker_seen[worker]
            self._state.drop("workers", worker)

    def _on_trainer(self, report: Learning, wall: float) -> None:
        self._series.report(
            wall,
            alpha=finite(report.alpha),
            real_rate=finite(report.real_per_s),
            planned_rate=finite(report.planned_per_s),
        )
        self._state.put(
            "site",
            "learning",
            alpha=finite(report.alpha),
            real=report.real,
            planned=report.planned,
            dropped=report.dropped,
            real_rate=finite(report.real_per_s),
            planned_rate=finite(report.planned_per_s),
            buffers={clip(k): n for k, n in list(report.buffers.items())[:MAX_BUFFERS]},
            greedy_ms=finite(report.greedy_ms),
            exploring_costs=finite(report.gap),
        )

    def _has_room(self, section: str, key: str, limit: int) -> bool:
        records = self._state.section(section)
        return key in records or len(records) < limit
