"""The learner of costs: takes in what was measured, and returns parameters to decide with."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tercet.rl.costs.checks import check_experience
from tercet.rl.costs.effects import BITS, INDEX, PRIOR_SCALE, Effects, key
from tercet.rl.costs.encoding import Encoder, Places, Profile, Registry, Terms, Wait, bucket_of
from tercet.rl.costs.evidence import NOWHERE, Evidence, Part
from tercet.rl.costs.levels import Levels
from tercet.rl.costs.mixed_model import Design, update
from tercet.rl.costs.prediction import Knowledge
from tercet.rl.costs.priors import robust_strength
from tercet.rl.costs.ratios import Ratios, Residual, ratios_of
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

    def added(self, waits: list[Wait]) -> list[Part]:
        """The parts that are added to a time."""
        return [Part(self.columns(w.terms), w.terms.values, False, w.log) for w in waits]

    def note_links(self, places: Places, state: State) -> None:
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
        rows = Observed.of(self, seen, platform, profile)
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
        deviation = np.sqrt(spread + self.noise / count + CELL_VARIANCE)
        if with_service:
            network = sum((np.exp(p + own) for p in predicted[1:]), np.zeros(len(ms)))
            service = np.exp(predicted[0] + own)
            wanted = np.log(np.maximum(ms - network, 0.02 * ms) / service)
            change = self.levels.observe(rows.place, wanted, share, deviation**2, seen_before)
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
            parts[0] = Part(*rows.service, True, moved)
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
        design = Design(
            parts["label"], parts["share"], parts["level"], parts["column"], parts["value"],
            labels["cell"],
        )  # fmt: skip
        weight = self.evidence.weights(self.windows)
        precision = weight * labels["factor"] / self.noise
        strength = robust_strength(self.effects, self.mean, self.variance, parts)
        self.mean, self.variance = update(
            design, labels["log"], precision, self.effects.mean, strength, self.mean
        )
        self._fit_noise()
        self._fit_ratios(design)

    def _fit_noise(self) -> None:
        """Variance within the labels that were measured more than once."""
        labels = self.evidence.labels
        weight = labels["weight"]
        squares = np.maximum(labels["square"] - weight * labels["log"] ** 2, 0.0)
        squares = squares * labels["factor"]
        many = weight > 1.5
        total = NOISE_LABELS * NOISE + float(squares[many].sum())
        count = NOISE_LABELS + float((weight[many] - 1.0).sum())
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
        residual = Residual(
            labels["place"][placed], labels["bucket"][placed], (serving * own)[placed],
            (other * own)[placed], labels["seen"][placed], labels["body"][placed],
            labels["late"][placed], labels["late_sum"][placed],
        )  # fmt: skip
        self.ratios = ratios_of(residual, len(self.registry.nodes.number), self.noise)


@dataclass(frozen=True)
class Observed:
    """The rows of one window as arrays, each at the option that it was assigned."""

    devices: tuple[str, ...]
    row: Integers
    demand: Floats
    place: Integers
    """Number of the node, [R]."""
    bucket: Integers
    cell: Integers
    """Effect of row, option and load, [R]."""
    key: Integers
    """Identity of what is measured: cell and condition, [R]; a multiple of 4."""
    service: tuple[Integers, Floats]
    network: tuple[Integers, Floats]
    waits: list[Part]
    """What is added to service..."""
    delays: list[Part]
    """...and to network."""

    @classmethod
    def of(
        cls, model: CostModel, seen: Experience, platform: Platform, profile: Profile | None
    ) -> Observed | None:
        """Encode the assigned rows of the platform; None when there is none."""
        places = model.registry.places(platform)
        known = [(d, o) for d, o in seen.assignment.items()
                 if d in places.position and o in platform.index]  # fmt: skip
        if not known:
            return None
        model.note_links(places, seen.state)
        row = np.array([places.position[d] for d, _ in known])
        option = np.array([platform.index[o] for _, o in known])
        encoder = Encoder.of(places, seen.state, profile)
        node = places.node[row, option]
        amount = encoder.amount[row, option]
        if not seen.state.demand:  # A round: one request of each row that asked.
            asked = np.array([not seen.response_ms or d in seen.response_ms for d, _ in known])
            model.registry.note_asked(places.row[row], asked)
            amount = asked.astype(np.float64)
        load = np.bincount(node, amount, len(places.names))
        if seen.load:
            for name, value in seen.load.items():
                if name in places.names:
                    load[places.names.index(name)] = value
        service = encoder.service(node, option, load[node])
        network = encoder.network(row, option)
        bucket = bucket_of(load[node])
        cell = places.cell(row, option, bucket)
        columns = model.columns(Terms(cell[:, None], np.ones((len(cell), 1))))[:, 0]
        identity = (
            cell * 1_000_003 + encoder.condition[node] + 7 * encoder.condition[places.home[row]]
        ) << 2
        demand = np.array([seen.state.demand.get(d, 1.0) for d, _ in known])
        return cls(
            tuple(d for d, _ in known), places.row[row], demand, places.number[node], bucket,
            columns, identity, (model.columns(service), service.values),
            (model.columns(network), network.values),
            model.added(encoder.waits(row, option)), model.added(encoder.delays(row, option)),
        )  # fmt: skip

    def take(self, rows: Integers) -> Observed:
        """Only `rows`."""
        return Observed(
            tuple(self.devices[k] for k in rows), self.row[rows], self.demand[rows],
            self.place[rows], self.bucket[rows], self.cell[rows], self.key[rows],
            (self.service[0][rows], self.service[1][rows]),
            (self.network[0][rows], self.network[1][rows]),
            [part.take(rows) for part in self.waits], [part.take(rows) for part in self.delays],
        )  # fmt: skip
