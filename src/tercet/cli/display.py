"""The progress that `tercet up` and `tercet watch` show: a live panel on a terminal, else lines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from tercet.cli.output import clean, number
from tercet.rl.goal import met, required_accuracy
from tercet.schemas.experience_v2 import Experience
from tercet.schemas.learning import Learning
from tercet.schemas.outcome import Outcome
from tercet.services.simulator.regret_evaluator import RegretEvaluator

LINE_PERIOD = 10
"""Without a terminal, one line per so many rounds."""

LABELS = ("device", "assigned", "ran")
TIMES = ("response", "decision", "network", "queue", "compute")


class Display:
    """Receives what happens in a run, and shows its present state."""

    def __init__(self, console: Console, every: int = LINE_PERIOD) -> None:
        self._console, self._every = console, every
        self._last: int | None = None
        self._live: Live | None = None
        self._now: Experience | None = None
        self._best: float | None = None
        self._outcomes: dict[str, Outcome] = {}
        self._status = ""
        self._regret: RegretEvaluator | None = None
        self._learning: dict[str, Learning] = {}

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Show while inside; a terminal gets one live panel, anything else plain lines."""
        if not self._console.is_terminal:
            yield
            return
        with Live(console=self._console, refresh_per_second=4, transient=True) as self._live:
            yield
        self._live = None

    def status(self, status: str) -> None:
        """Show what happens apart from rounds."""
        self._status = status
        if self._live is None:
            self._console.print(status, highlight=False)
        self._refresh()

    def print(self, line: str) -> None:
        """Print a line that stays above the panel."""
        self._console.print(line, highlight=False)

    def outcome(self, outcome: Outcome) -> None:
        """Take the latest outcome of a device."""
        self._outcomes[outcome.device] = outcome

    def learning(self, learning: Learning) -> None:
        """Take the latest training report of an owner of parameters."""
        self._learning[learning.owner] = learning

    def expect(self, last: int | None) -> None:
        """Set the number of the last round; None: there is no end."""
        self._last = last

    def experience(self, experience: Experience, regret: RegretEvaluator | None = None) -> None:
        """Show a round that has closed; `regret` is that of a simulated world."""
        if self._now is not None and _goals(self._now) != _goals(experience):
            self._best = None  # The best under another goal cannot be compared.
        self._now, self._regret = experience, regret
        average_ms = experience.average_ms
        if experience.purpose == "learn" and average_ms is not None and _meets(experience):
            self._best = min(average_ms, self._best or average_ms)
        last = experience.window == self._last
        if self._live is None and (experience.window % self._every == 0 or last):
            self._console.print(self._line(experience), highlight=False, markup=False)
        self._refresh()

    def _refresh(self) -> None:
        if self._live is not None:
            self._live.update(self._panel())

    def _line(self, now: Experience) -> str:
        of = f"/{self._last}" if self._last else ""
        best = number(self._best, unit=" ms")
        average = number(now.average_ms, unit=" ms")
        regret = f"  regret {self._regret.regret:.2%}" if self._regret else ""
        share = now.answered_in_time
        timely = f", {share:.1%} in time" if now.fleet.deadline_ms and share is not None else ""
        return clean(
            f"round {now.window}{of} ({now.policy})  average response {average}{timely}, "
            f"best so far {best}  {_accuracy(now)}{regret}"
        )

    def _panel(self) -> RenderableType:
        if self._now is None:
            return Text(self._status, style="bold")
        table = Table(expand=False)
        for heading in LABELS:
            table.add_column(heading)
        for heading in TIMES:
            table.add_column(heading, justify="right")
        for device, option in self._now.assigned.items():
            outcome = self._outcomes.get(device)
            table.add_row(device, option, *(_cells(outcome) if outcome else ()))
        line, status = self._line(self._now), Text(self._status, style="dim")
        return Group(Text(line, style="bold"), table, *self._training(), status)

    def _training(self) -> list[Text]:
        """The progress of training in one line, once it was reported."""
        policy = self._learning.get("policy")
        if policy is None:
            return []
        errors = [m.error for m in self._learning.values() if m.role == "member" and m.error]
        parts = [
            f"{policy.real} real and {policy.planned} planned experiences",
            f"α {number(policy.alpha, 2)}",
            f"policy v{policy.version}",
            f"error {number(policy.error, 3)} (policy), "
            f"{number(sum(errors) / len(errors) if errors else None, 3)} (system model)",
            f"gap {number(policy.gap and 100 * policy.gap)} %",
        ]
        return [Text(clean(", ".join(parts)), style="dim")]


def _cells(outcome: Outcome) -> tuple[str, ...]:
    ran = f"{outcome.executed} on {outcome.node}"
    if outcome.fallback != "none":
        ran += f" ({outcome.fallback})"
    parts = (
        outcome.response_ms,
        outcome.decision_ms,
        outcome.network_ms,
        outcome.queue_ms,
        outcome.compute_ms,
    )
    return (ran, *(f"{part:.1f} ms" for part in parts))


def _goals(experience: Experience) -> object:
    return experience.goal, experience.goals


def _accuracy(now: Experience) -> str:
    """Accuracy and goal; of each family, where there are several."""
    if not now.goals:
        return f"accuracy {number(now.accuracy_pct, 2, ' %')}, goal {now.goal}"
    found = now.family_accuracy_pct
    listed = (f"{f} {number(found.get(f), 2, ' %')}, goal {goal}" for f, goal in now.goals.items())
    return f"accuracy of {'; '.join(listed)}"


def _meets(experience: Experience) -> bool:
    """Whether the goal, or that of each family that asked, is met."""
    fleet, found = experience.fleet, experience.family_accuracy_pct
    if not experience.goals:
        return _reached(experience.goal, experience.accuracy_pct, fleet.accuracy_pct.values())
    return all(
        _reached(goal, found[name], [fleet.accuracy_pct[v] for v in fleet.variants.get(name, ())])
        for name, goal in experience.goals.items()
        if name in found
    )


def _reached(goal: str, accuracy_pct: float | None, known: Iterable[float]) -> bool:
    required = required_accuracy(goal if goal in ("min", "max") else float(goal), known)
    return accuracy_pct is not None and met(accuracy_pct, required)
