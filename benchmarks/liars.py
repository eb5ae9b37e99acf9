"""`bench liars`: one device of five lies about its response times; are the others slower for it?

Pairs of runs that differ only in what one device says: the truth, or a lie. Compared is the
others' true expected response time under what was executed, its mean over the whole run: what
the lies do before they are seen through is part of it, and so is all exploring. `silent` is no
lie: it is what a perfect quarantine would leave of a liar, a device that loads the nodes and of
which nothing is ever heard.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean, stdev

from benchmarks.lying_world import HONEST, LIES, SILENT, Town
from benchmarks.result_store import Cell
from benchmarks.summary import Row, markdown
from benchmarks.trial import NOISE_SEED
from tercet.rl.experience import Experience
from tercet.rl.hybrid import Hybrid
from tercet.rl.quarantine import Quarantine

ROUNDS = 300
"""Rounds of a run, all of them counted: as `tercet up --world paper-A --rounds 300`."""
EARLY = 40
"""The first so many are shown apart, and so is the last so many without exploring."""
GOAL = 85.0
BAR = 0.02
"""How much slower the others may be."""
ONE_SIDED = 1.645
"""Standard errors above a mean below which the true one lies, 19 times in 20."""
ALL = "all five lies"
FIGURES = ("executed", "early", "later", "greedy")


def cells(lies: Sequence[str], pairs: int) -> list[Cell]:
    """One cell per case and pair; pair k has seed k, and the devices take turns to lie."""
    return [_cell(case, seed) for seed in range(pairs) for case in (HONEST, SILENT, *lies)]


def _cell(case: str, seed: int) -> Cell:
    return Cell({"case": case, "seed": seed}, lambda: compute(case, seed))


def compute(case: str, seed: int, *, defended: bool = True, rounds: int = ROUNDS) -> Row:
    """One run: the others' expected milliseconds, and how many outcomes did not teach."""
    run = Run(Town(case, seed % 5), seed, defended)
    greedy = []
    for number in range(rounds):
        run.round()
        if number >= rounds - EARLY:
            greedy.append(run.town.others_ms(run.state, run.agent.greedy(run.state, GOAL)))
    return {
        "executed": round(fmean(run.executed), 3),
        "early": round(fmean(run.executed[:EARLY]), 3),
        "later": round(fmean(run.executed[EARLY:]), 3),
        "greedy": round(fmean(greedy), 3),
        "refused": run.refused,
        "others_refused": run.others_refused,
    }


@dataclass
class Run:
    """Three loops in one process, and the quarantine before them."""

    town: Town
    seed: int
    defended: bool = True
    executed: list[float] = field(default_factory=list)
    """What the others took, round by round."""
    refused: int = 0
    """Outcomes of the liar that did not teach."""
    others_refused: int = 0

    def __post_init__(self) -> None:
        self.agent = Hybrid(self.town.platform, self.seed, profile=self.town.profile_ms)
        self.quarantine = Quarantine()
        self.state = self.town.reset(self.seed + NOISE_SEED)

    def round(self) -> None:
        """One real step."""
        chosen = self.agent.act(self.state, GOAL)
        self.executed.append(self.town.others_ms(self.state, chosen))
        outcome = self.town.step(chosen)
        seen = Experience(
            self.state, chosen, outcome.response_ms, outcome.average_ms, outcome.state, GOAL
        )
        if self.defended:
            seen = self._judged(seen)
        if seen.response_ms:
            self.agent.observe(seen)
        self.state = outcome.state

    def _judged(self, seen: Experience) -> Experience:
        """What a learner is given on the bus (`tercet.experience.translation`)."""
        verdicts = self.quarantine.judge(self.town.platform, seen, self.town.profile_ms)
        refused = {d for d, v in verdicts.items() if v.reason}
        self.refused += self.town.liar in refused
        self.others_refused += len(refused - {self.town.liar})
        believed = {
            d: ms / verdicts[d].factor for d, ms in seen.response_ms.items() if d not in refused
        }
        doubted = frozenset(d for d, v in verdicts.items() if v.doubted)
        return replace(seen, response_ms=believed, doubted=doubted)


def gather(runs: list[Row]) -> list[Row]:
    """One row per case: how much slower the others were than honest, mean and standard error."""
    honest = {run["seed"]: run for run in runs if run["case"] == HONEST}
    rows = []
    for case in (HONEST, SILENT, *LIES, ALL):
        own = [run for run in runs if case in (run["case"], ALL) and run["seed"] in honest]
        own = [run for run in own if case != ALL or run["case"] in LIES]
        if own:
            rows.append({"case": case} | _harm(own, honest) | _refused(own))
    return rows


def _harm(own: list[Row], honest: dict[int, Row]) -> Row:
    """By pair: of all lies together, a seed counts once, with their mean."""
    seeds = sorted({run["seed"] for run in own})
    found: Row = {"pairs": len(seeds)}
    for figure in FIGURES:
        ratios = {seed: list[float]() for seed in seeds}
        for run in own:
            ratios[run["seed"]].append(run[figure] / honest[run["seed"]][figure] - 1)
        found |= compared(figure, [fmean(values) for values in ratios.values()])
    return found


def compared(figure: str, ratios: list[float]) -> Row:
    """By how much pairs differ: mean, standard error, and below what the true mean is, 95 %."""
    error = stdev(ratios) / len(ratios) ** 0.5 if len(ratios) > 1 else 0.0
    return {
        figure: round(fmean(ratios), 5),
        f"{figure}_error": round(error, 5),
        f"{figure}_below": round(fmean(ratios) + ONE_SIDED * error, 5),
    }


def _refused(own: list[Row]) -> Row:
    """Shares of the liar's outcomes and of the others' that did not teach."""
    return {
        "refused": round(fmean(run["refused"] for run in own) / ROUNDS, 4),
        "others_refused": round(fmean(run["others_refused"] for run in own) / ROUNDS / 4, 5),
    }


def render(rows: list[Row]) -> str:
    """Markdown."""
    header = ["one of five", "the others", "at most (95 %)", "mean within 2 %",
              f"rounds 1 to {EARLY}", f"rounds {EARLY + 1} to {ROUNDS}", "greedy at the end",
              "liar's not believed", "others' not believed", "pairs"]  # fmt: skip
    body: list[list[object]] = []
    for row in rows:
        whole, *parts = [f"{row[f]:+.1%} ± {row[f'{f}_error']:.1%}" for f in FIGURES]
        within = "" if row["case"] in (HONEST, SILENT) else said(row)
        below = f"{row['executed_below']:+.1%}"
        refused = f"{row['refused']:.0%}", f"{row['others_refused']:.2%}"
        body.append([row["case"], whole, below, within, *parts, *refused, row["pairs"]])
    text = (
        "How much slower the others are than in the same run without the lie, mean and standard "
        f"error over pairs; {ROUNDS} rounds, nothing left out."
    )
    return f"{text}\n\n{markdown(header, body)}"


def said(row: Row) -> str:
    """Whether the bar is met by the mean, and whether the pairs are enough to be sure of it."""
    if row["executed"] > BAR:
        return "**no**"
    return "yes, surely" if row["executed_below"] <= BAR else "yes"
