"""The learner of costs: takes in what was measured, and returns parameters to decide with."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from tercet.rl.costs.cells_apart import SCALE, cells_apart
from tercet.rl.costs.checks import check_experience
from tercet.rl.costs.effects import BITS, INDEX, PRIOR_SCALE, Effects, key
from tercet.rl.costs.encoding import Profile, Registry, Terms
from tercet.rl.costs.evidence import FADING, NOWHERE, Evidence, Part
from tercet.rl.costs.levels import Levels
from tercet.rl.costs.mixed_model import Design, update
from tercet.rl.costs.observed import Observed
from tercet.rl.costs.prediction import Knowledge
from tercet.rl.costs.priors import CLOSED, RowPriors, robust_strength
from tercet.rl.costs.ratios import Ratios, Residual, ratios_of
from tercet.rl.costs.row_factors import rows_apart
from tercet.rl.costs.scatter import row_weights
from tercet.rl.experience import Experience, Parts, State
from tercet.rl.platform import Platform

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

MIN_MS = 1e-3
"""Shortest time that is learned from; keeps the logarithm finite."""

NOISE = 0.04
"""Variance of a label's logarithm, at first..."""
NOISE_LABELS = 4.0
"""...with the weight of so many labels."""

HUBER = 3.0
"""Standardised error from which a label counts less."""

LATE_ERROR, LATE_RATIO = 3.5, 2.5
"""Standardised error and ratio to the expectation from which a request is a straggler."""

CELL_VARIANCE = float(PRIOR_SCALE[INDEX["cell"]] ** 2)
"""Prior variance of a cell's own effect."""


STEADY = 0.1
"""Weight of a row's labels below which it has no factor of its own: it scatters too far for one."""


@dataclass
class CostModel:
    """What is known about costs; its whole state is in its fields."""

    memory: float = 1000.0
    registry: Registry = field(default_factory=Registry)
    effects: Effects = field(default_factory=Effects)
    mean: Floats = field(default_factory=lambda: np.zeros(0))
    """Estimate of each effect, [D]."""
    variance: Floats = field(default_factory=lambda: np.zeros(0))
    """Of each effect, given all others, [D]."""
    levels: Levels = field(default_factory=Levels)
    ratios: Ratios = field(default_factory=Ratios)
    noise: float = NOISE
    windows: int = 0
    in_means: dict[int, float] = field(default_factory=dict)
    """Key of each cell that was part of a mean, and how many labels of its own that is worth."""
    row_weight: Floats = field(default_factory=lambda: np.zeros(0))
    """Weight of a label of each row (number): 1 but for those that scatter far (`scatter.py`)."""
    row_priors: RowPriors = field(default_factory=RowPriors)
    cells_apart: Integers = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    """Columns of cells that are far quicker than the rest says (`cells_apart.py`)."""
    evidence: Evidence = field(init=False)

    def __post_init__(self) -> None:
        self.evidence = Evidence(self.memory)

    @property
    def knowledge(self) -> Knowledge:
        """A view to predict with."""
        labels = self.evidence.labels
        placed = labels["cell"] >= 0 if labels.count else np.zeros(0, dtype=bool)
        keys = self.effects.keys[labels["cell"][placed]] if labels.count else np.zeros(0, np.int64)
        own = self.evidence.weights(self.windows)[placed] if labels.count else np.zeros(0)
        in_mean = np.array(list(self.in_means), dtype=np.int64)
        cells, at = np.unique(np.concatenate([keys, in_mean]), return_inverse=True)
        worth = np.concatenate([own, np.array(list(self.in_means.values()))])
        weight = np.bincount(at, worth, len(cells)).astype(np.float64)
        return Knowledge(
            self.registry, self.effects, self.mean, self.variance, self.levels, self.ratios,
            self.noise, cells, weight,
        )  # fmt: skip

    def columns(self, terms: Terms) -> Integers:
        """Column of each effect of `terms`, same shape; a value of 0 is given the first."""
        keys = np.where(terms.values != 0, terms.keys, key("service"))
        before = len(self.effects)
        found = self.effects.columns(keys)
        if len(self.effects) > before:
            self.mean = np.concatenate([self.mean, self.effects.mean[before:]])
            self.variance = np.concatenate([self.variance, self.effects.scale[before:] ** 2])
        return found

    def _note_links(self, state: State) -> None:
        """Remember the shortest round trips; what was measured before counts from the new ones."""
        floor = self.registry.floor
        for name, node in state.nodes.items():
            number = self.registry.nodes.number.get(name)
            if number is None or node.link_ms >= floor.get(number, np.inf):
                continue
            if number in floor:
                self._lower(number, floor[number] - node.link_ms)
            floor[number] = node.link_ms

    def _lower(self, node: int, by: float) -> None:
        """The links of `node` were slower by so much than was thought, in all evidence."""
        parts = self.evidence.parts
        if not parts.count:
            return
        group, first = self.effects.group, (self.effects.keys >> BITS) & (2**BITS - 1)
        own = (group == INDEX["node.delay"]) & (first == node)
        here = (own[parts["column"]] & (parts["value"] != 0)).any(axis=1)
        parts["level"][here] = np.logaddexp(parts["level"][here], np.log(by))

    def observe(self, seen: Experience, platform: Platform, profile: Profile | None = None) -> None:
        """Take in one window; `fit` updates the estimates. ValueError, and nothing learned."""
        check_experience(seen, platform, self.registry.nodes.number)
        self.windows += 1
        self.levels.pass_window()
        self.registry.places(platform)  # Numbers its nodes, before their links are noted.
        self._note_links(seen.state)
        rows = Observed.of(self.registry, self.columns, seen, platform, profile)
        if rows is None:
            return
        if seen.response_ms:
            self._observe_rows(rows, seen)
        elif np.isfinite(seen.average_ms) and seen.average_ms > 0:
            self._observe_mean(rows, seen.average_ms)
        self.evidence.trim(len(platform.devices))

    def _observe_rows(self, rows: Observed, seen: Experience) -> None:
        """One label for each row that asked; network and service apart where they were reported."""
        asked = [k for k, d in enumerate(rows.devices) if d in seen.response_ms]
        if not asked:
            return
        rows = rows.take(np.array(asked))
        parts = [seen.parts.get(d) for d in rows.devices]
        whole = np.array([p is None for p in parts])
        ms = np.maximum([seen.response_ms[d] for d in rows.devices], MIN_MS)
        count = np.array([max(1, seen.counts.get(d, 1)) for d in rows.devices])
        if whole.any():
            some = np.flatnonzero(whole)
            self._add(rows.take(some), ms[some], count[some], (True, True))
        if not whole.all():
            some = np.flatnonzero(~whole)
            apart = rows.take(some)
            reported: list[Parts] = [p for p in parts if p is not None]
            service = np.maximum([p.queue_ms + p.compute_ms for p in reported], MIN_MS)
            # What was measured beyond the parts (failed attempts) is paid for where it was sent.
            service = service + np.maximum(
                ms[some] - service - [p.network_ms for p in reported], 0.0
            )
            network = np.maximum([p.network_ms for p in reported], MIN_MS)
            self._add(apart, service, count[some], (True, False))
            self._add(apart, network, count[some], (False, True))

    def _add(self, rows: Observed, ms: Floats, count: Integers, which: tuple[bool, bool]) -> None:
        """Enter the labels `ms` of service, network, or their sum."""
        with_service, with_network = which
        parts, place = [], np.full(len(ms), NOWHERE)
        if with_service:
            level = self.levels.mean_of(rows.place)
            parts.append(Part(rows.service[0], rows.service[1], True, level))
            parts += rows.waits
            place = rows.place
        if with_network:
            parts.append(Part(*rows.network, False, np.zeros(len(ms))))
            parts += rows.delays
        if with_service and with_network:
            parts = [p.and_effect(rows.whole) for p in parts]
        predicted = [self._part(p) for p in parts]
        cell = rows.cell if with_service else np.full(len(ms), NOWHERE)
        own = np.where(cell >= 0, self.mean[np.maximum(cell, 0)], 0.0)
        total = np.logaddexp.reduce(predicted, axis=0) + own
        share = np.exp(predicted[0] + own - total) if with_service else np.zeros(len(ms))
        spread = sum(
            np.exp(2 * (p + own - total)) * (self.variance[q.columns] * q.values**2).sum(axis=1)
            for p, q in zip(predicted, parts, strict=True)
        )
        kind = 0 if which == (True, True) else (1 if with_service else 2)
        first = self.evidence.find(rows.key + kind)
        known = self._known_variance(first)
        seen_before = known < 2.0 * (self.noise + CELL_VARIANCE)
        spread = np.minimum(spread, known)
        error = np.log(ms) - total
        trust = self._row_weights(rows.row)
        deviation = np.sqrt(spread + self.noise / trust / count + CELL_VARIANCE)
        if with_service:
            network = sum((np.exp(p + own) for p in predicted[1:]), np.zeros(len(ms)))
            service = np.exp(predicted[0] + own)
            wanted = np.log(np.maximum(ms - network, 0.02 * ms) / service)
            spread = deviation**2 / trust
            change = self.levels.observe(rows.place, wanted, share, spread, seen_before)
            now = network + service * np.exp(change)
            error = np.log(ms) - np.log(now)
        standard = error / deviation
        far = (standard > LATE_ERROR) & (error > np.log(LATE_RATIO)) & with_service
        late = far & seen_before
        weight = np.minimum(1.0, HUBER / np.maximum(np.abs(standard), 1e-9))
        level, log = np.zeros(len(ms)), np.log(ms)
        if with_service:
            before = parts[0].level
            moved = before + change
            parts[0] = replace(parts[0], level=moved)
            # A label keeps the level at which it was first measured.
            level = self.evidence.of("level", first, moved)
            log = log + np.log((network + service * np.exp(level - before)) / now)
        ms = np.exp(log)
        at = self.evidence.add(
            rows.key + kind, log, weight * count**0.5, self.windows, parts,
            place=place, bucket=rows.bucket, cell=cell, row=rows.row, factor=np.ones(len(ms)),
            level=level,
        )  # fmt: skip
        labels = self.evidence.labels
        body = np.where(far, 0, count)  # The first time, it may be an option unlike the others.
        labels["seen"][at] += body
        labels["body"][at] += ms * body
        labels["late"][at] += np.where(late, count, 0)
        labels["late_sum"][at] += np.where(late, ms * count, 0.0)

    def _row_weights(self, row: Integers) -> Floats:
        """Weight of a label of each row (number), [R]; 1 for a new one, and for none."""
        inside = (row >= 0) & (row < len(self.row_weight))
        if not inside.any():
            return np.ones(len(row))
        return np.where(inside, self.row_weight[np.where(inside, row, 0)], 1.0)

    def _known_variance(self, at: Integers) -> Floats:
        """Variance of the means of the labels at `at` [R], [R]; huge for a new one (-1)."""
        weight = self.evidence.of("weight", at, np.zeros(len(at)))
        return (self.noise + CELL_VARIANCE) / np.maximum(weight, 1e-9)

    def _part(self, part: Part) -> Floats:
        value: Floats = (self.mean[part.columns] * part.values).sum(axis=1) + part.level
        return value

    def _observe_mean(self, rows: Observed, average_ms: float) -> None:
        """The mean over all rows alone."""
        share = rows.demand / rows.demand.sum()
        level = self.levels.mean_of(rows.place)
        service = Part(*rows.service, True, level)
        network = Part(*rows.network, False, np.zeros(len(share)))
        log = float(np.log(max(average_ms, MIN_MS)))
        parts = [service, network, *rows.waits, *rows.delays]
        identity = int(np.bitwise_xor.reduce(rows.key * (2 * np.arange(len(share)) + 1)))
        self.evidence.add_mean(identity, log, self.windows, share, parts)
        worth = share**2 / (share**2).sum()
        for cell, part in zip(self.effects.keys[rows.cell].tolist(), worth.tolist(), strict=True):
            self.in_means[cell] = self.in_means.get(cell, 0.0) + part / len(share)

    def fit(self) -> None:
        """Update all estimates from the evidence."""
        labels, parts = self.evidence.labels, self.evidence.parts
        if not labels.count:
            return
        trusted = labels["factor"] * self._row_weights(labels["row"])
        weight = self.evidence.weights(self.windows)
        precision = weight * trusted / self.noise
        self._note_rows_apart()
        strength = robust_strength(self.effects, self.mean, self.variance, parts, self.row_priors)
        strength[self.cells_apart] = 1.0 / SCALE**2
        # What is closed takes no part: honest rows are solved for as if there were no factors.
        value = parts["value"] * (strength < CLOSED)[parts["column"]]
        design = Design(
            parts["label"], parts["share"], parts["level"], parts["column"], value, labels["cell"]
        )
        self.mean, self.variance = update(
            design, labels["log"], precision, self.effects.mean, strength, self.mean
        )
        own = np.where(labels["cell"] >= 0, self.mean[np.maximum(labels["cell"], 0)], 0.0)
        shared, share = design.totals(self.mean)
        expected = shared + own
        self.row_weight = row_weights(labels, expected, len(self.registry.rows.number))
        each = (self.variance[design.column] * design.value**2).sum(axis=1) * share**2
        uncertain = np.bincount(design.label, each, labels.count) + CELL_VARIANCE
        noise = uncertain + self.noise / np.maximum(weight, 1e-9)
        self.cells_apart = cells_apart(labels, shared, noise)
        self._fit_noise()
        self._fit_ratios(design)

    def _note_rows_apart(self) -> None:
        """Which rows may have a factor on all that they report, by the estimates so far."""
        labels, number = self.evidence.labels, len(self.registry.rows.number)
        estimates, noise = (self.effects.group, self.mean), (self.noise, CELL_VARIANCE)
        apart = rows_apart(labels, self.evidence.parts, estimates, noise, number)
        steady = self._row_weights(np.arange(number)) > STEADY
        placed = labels["place"] != NOWHERE
        requests = (labels["seen"] + labels["late"])[placed]
        count = np.bincount(labels["row"][placed], requests, number)
        self.row_priors.note(np.where(steady & apart, count, 0.0))

    def _fit_noise(self) -> None:
        """Variance within the labels that were measured more than once."""
        labels = self.evidence.labels
        weight = labels["weight"]
        squares = np.maximum(labels["square"] - weight * labels["log"] ** 2, 0.0)
        own = self._row_weights(labels["row"])
        squares = squares * labels["factor"] * own
        many = weight > 1.5
        total = NOISE_LABELS * NOISE + float(squares[many].sum())
        count = NOISE_LABELS + float(((weight - 1.0) * own)[many].sum())
        self.noise = float(np.clip(total / count, 1e-4, 1.0))

    def _fit_ratios(self, design: Design) -> None:
        """How much more than its body a request costs on average, for each place and load."""
        labels = self.evidence.labels
        raised = design.share * np.exp(design.parts(self.mean))
        service = self.evidence.parts["service"]
        at = design.label
        count = labels.count
        serving = np.bincount(at, raised * service, count)
        other = np.bincount(at, raised * ~service, count)
        own = np.exp(np.where(labels["cell"] >= 0, self.mean[np.maximum(labels["cell"], 0)], 0.0))
        placed = labels["place"] != NOWHERE
        trust = self._row_weights(labels["row"][placed])
        residual = Residual(
            labels["place"][placed], labels["bucket"][placed], (serving * own)[placed],
            (other * own)[placed], *(trust * labels[name][placed] for name in FADING),
        )  # fmt: skip
        self.ratios = ratios_of(residual, len(self.registry.nodes.number), self.noise)
