"""How learning goes, as those who learn say: parameters, members, workers, rates, the truth."""

from __future__ import annotations

from tercet.schemas.learning import Learning
from tercet.schemas.parameters import Parameters
from tercet.schemas.truth import Truth
from tercet.schemas.worker import Worker
from tercet.services.dashboard.sanitise import clip, finite
from tercet.services.dashboard.state_store import StateStore
from tercet.services.dashboard.time_series import Series

MEMBERS, WORKERS, BUFFERS = 16, 64, 8
"""Members, workers, and buffers of one learner at most."""
SILENCE = 20.0
"""Seconds after which a worker that says nothing is no longer shown."""


class Lessons:
    """The sections `members` and `workers` of the board, and part of `site`."""

    def __init__(self, board: StateStore, series: Series) -> None:
        self._board, self._series = board, series
        self._heard: dict[str, float] = {}

    def on_parameters(self, said: Parameters, now: float, wall: float) -> None:
        """A new version of some parameters."""
        if self._room("members", said.owner, MEMBERS):
            self._board.put(
                "members",
                said.owner,
                version=said.version,
                learned=said.learned,
                round=said.round,
            )

    def on_worker(self, said: Worker, now: float, wall: float) -> None:
        """A worker is there, or leaves."""
        if said.leaving:
            self._board.drop("workers", said.worker)
            self._heard.pop(said.worker, None)
        elif self._room("workers", said.worker, WORKERS):
            self._heard[said.worker] = now
            self._board.put("workers", said.worker, slots=list(said.slots[:MEMBERS]))

    def on_learning(self, said: Learning, now: float, wall: float) -> None:
        """One who learns, or decides, says how it goes."""
        if said.role == "decider":
            self._board.put(
                "site",
                "decider",
                behind=said.behind,
                exploring=said.exploring,
                censored=said.censored,
                fallbacks=said.fallbacks,
                version=said.version,
            )
            return
        if self._room("members", said.owner, MEMBERS):
            self._board.put("members", said.owner, error=finite(said.error), holder=said.holder)
        if said.role == "learner":
            self._learner(said, wall)
        else:
            errors = [e for m in self._board.section("members").values() if (e := m.get("error"))]
            self._series.tell(wall, model_error=max(errors, default=None))

    def on_truth(self, said: Truth, now: float, wall: float) -> None:
        """A simulated world says what only it knows."""
        self._series.tell(
            wall, oracle=round(said.oracle_ms, 2), greedy=said.greedy_ms, regret=finite(said.regret)
        )
        self._board.put(
            "site",
            "truth",
            oracle_ms=round(said.oracle_ms, 2),
            greedy_ms=round(said.greedy_ms, 2),
            regret=finite(said.regret),
            steps=said.steps_to_optimal,
        )

    def look(self, now: float) -> None:
        """Forget workers that have fallen silent."""
        for worker in [w for w, heard in self._heard.items() if now - heard > SILENCE]:
            del self._heard[worker]
            self._board.drop("workers", worker)

    def _learner(self, said: Learning, wall: float) -> None:
        self._series.tell(
            wall,
            alpha=finite(said.alpha),
            real_rate=finite(said.real_per_s),
            planned_rate=finite(said.planned_per_s),
        )
        self._board.put(
            "site",
            "learning",
            alpha=finite(said.alpha),
            real=said.real,
            planned=said.planned,
            dropped=said.dropped,
            real_rate=finite(said.real_per_s),
            planned_rate=finite(said.planned_per_s),
            buffers={clip(k): n for k, n in list(said.buffers.items())[:BUFFERS]},
            greedy_ms=finite(said.greedy_ms),
            exploring_costs=finite(said.gap),
        )

    def _room(self, section: str, key: str, most: int) -> bool:
        records = self._board.section(section)
        return key in records or len(records) < most
