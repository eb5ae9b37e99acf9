"""Verb `liars`: one device of five reports false response times.

Pairs of runs differ only in the reports of one device: true or false. Compared is the expected
response time of the other four under the executed assignments, its mean over the whole run,
exploration included. The case `silent` is the reference: the outcomes of one device are never
reported.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import fmean, stdev

from benchmarks.lying_world import HONEST, LIES, SILENT, LyingWorld
from benchmarks.result_store import Cell
from benchmarks.summary import Row, markdown
from tercet.rl.experience import Experience
from tercet.rl.hybrid import Hybrid
from tercet.sim.run_loop import NOISE_SEED

ROUNDS = 300
"""Rounds of a run; all of them count."""
EARLY = 40
"""Number of first rounds, and of last rounds without exploration, that are shown apart."""
GOAL = 85.0
TARGET = 0.02
"""Largest mean slowdown of the other devices."""
ONE_SIDED_95_QUANTILE = 1.645
"""Standard errors above a mean: one-sided 95 % bound of the true mean."""
ALL = "all five lies"
FIGURES = ("executed", "early", "later", "greedy")


def cells(lies: Sequence[str], pairs: int) -> list[Cell]:
    """One cell per case and pair; pair k has seed k and lying device k modulo 5."""
    return [_cell(case, seed) for seed in range(pairs) for case in (HONEST, SILENT, *lies)]


def _cell(case: str, seed: int) -> Cell:
    return Cell({"case": case, "seed": seed}, lambda: compute(case, seed))


def compute(case: str, seed: int, *, rounds: int = ROUNDS) -> Row:
    """One run: expected milliseconds of the others."""
    run = Run(LyingWorld(case, seed % 5), seed)
    greedy = []
    for number in range(rounds):
        run.round()
        if number >= rounds - EARLY:
            greedy.append(run.world.others_ms(run.state, run.agent.greedy(run.state, GOAL)))
    return {
        "executed": round(fmean(run.executed), 3),
        "early": round(fmean(run.executed[:EARLY]), 3),
        "later": round(fmean(run.executed[EARLY:]), 3),
        "greedy": round(fmean(greedy), 3),
    }


@dataclass
class Run:
    """The three learning loops in one process."""

    world: LyingWorld
    seed: int
    executed: list[float] = field(default_factory=list)
    """Expected milliseconds of the others under the executed assignment, per round."""

    def __post_init__(self) -> None:
        self.agent = Hybrid(self.world.platform, self.seed, profile=self.world.profile_ms)
        self.state = self.world.reset(self.seed + NOISE_SEED)

    def round(self) -> None:
        """One real step."""
        chosen = self.agent.act(self.state, GOAL)
        self.executed.append(self.world.others_ms(self.state, chosen))
        outcome = self.world.step(chosen)
        experience = Experience(
            self.state, chosen, outcome.response_ms, outcome.average_ms, outcome.state, GOAL
        )
        if experience.response_ms:
            self.agent.observe(experience)
        self.state = outcome.state


def gather(runs: list[Row]) -> list[Row]:
    """One row per case: slowdown of the others against the honest run, mean and error."""
    honest = {run["seed"]: run for run in runs if run["case"] == HONEST}
    rows = []
    for case in (HONEST, SILENT, *LIES, ALL):
        own = [run for run in runs if case in (run["case"], ALL) and run["seed"] in honest]
        own = [run for run in own if case != ALL or run["case"] in LIES]
        if own:
            rows.append({"case": case} | _slowdown(own, honest))
    return rows


def _slowdown(own: list[Row], honest: dict[int, Row]) -> Row:
    """Slowdown by pair; for all cases together a seed counts once, with their mean."""
    seeds = sorted({run["seed"] for run in own})
    row: Row = {"pairs": len(seeds)}
    for figure in FIGURES:
        ratios = {seed: list[float]() for seed in seeds}
        for run in own:
            ratios[run["seed"]].append(run[figure] / honest[run["seed"]][figure] - 1)
        row |= compared(figure, [fmean(values) for values in ratios.values()])
    return row


def compared(figure: str, ratios: list[float]) -> Row:
    """Mean of the ratios, its standard error, and the 95 % upper bound."""
    error = stdev(ratios) / len(ratios) ** 0.5 if len(ratios) > 1 else 0.0
    return {
        figure: round(fmean(ratios), 5),
        f"{figure}_error": round(error, 5),
        f"{figure}_below": round(fmean(ratios) + ONE_SIDED_95_QUANTILE * error, 5),
    }


def render(rows: list[Row]) -> str:
    """Markdown."""
    header = ["one of five", "the others", "at most (95 %)", "mean within 2 %",
              f"rounds 1 to {EARLY}", f"rounds {EARLY + 1} to {ROUNDS}", "greedy at the end",
              "pairs"]  # fmt: skip
    body: list[list[object]] = []
    for row in rows:
        whole, *parts = [f"{row[f]:+.1%} ± {row[f'{f}_error']:.1%}" for f in FIGURES]
        within = "" if row["case"] in (HONEST, SILENT) else target_met(row)
        below = f"{row['executed_below']:+.1%}"
        body.append([row["case"], whole, below, within, *parts, row["pairs"]])
    text = (
        "Slowdown of the other devices against the same run with true reports, mean and standard "
        f"error over pairs; {ROUNDS} rounds, all counted."
    )
    return f"{text}\n\n{markdown(header, body)}"


def target_met(row: Row) -> str:
    """Whether the mean meets the target, and whether the 95 % bound does (`surely`)."""
    if row["executed"] > TARGET:
        return "**no**"
    return "yes, surely" if row["executed_below"] <= TARGET else "yes"
