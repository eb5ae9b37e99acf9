"""From rows, options, loads and a state to the effects of each part of a request's time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tercet.rl.costs import conditions, own_queue
from tercet.rl.costs.conditions import FACTORS, LINK, WEAK
from tercet.rl.costs.effects import Names, key
from tercet.rl.experience import State
from tercet.rl.platform import Platform

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

Profile = Mapping[str, Mapping[str, float]]
"""Measured compute, node (device, edge or cloud) -> variant -> ms; either may be missing."""

TIERS = ("L", "E", "C")

KNOTS = np.array(
    [0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 1, 1.5, 2, 3, 4, 5, 6, 8, 10, 12, 16, 24, 32, 48, 64, 96,
     128, 192, 256, 512, 1024.0]
)  # fmt: skip
"""Loads at which a node's curve may bend away from a power of its load."""

LOG_KNOTS = np.log(KNOTS)

ASKED_RATE = 0.05
"""Rate at which the share of windows in which a row asks is averaged."""
ALWAYS = 0.9
"""Share of windows from which a row counts as one that always asks."""

PROFILE_UNIT = 50.0
"""Milliseconds of compute that count as one unit of profile; the prior of `service` fits it."""

MOST_BUCKETS = 64
"""Numbers of loads that count as different, at most; `bucket_of` is below it."""

LEAST_WAIT = 1e-26
"""Stands for an amount of zero, whose logarithm must be finite."""

Weighted = tuple[Integers, Floats]
"""Keys of one effect of each sum, and the values that multiply them, both [R]."""


@dataclass(frozen=True, slots=True)
class Terms:
    """R sums of effects: keys and values, [R, Z] both; a value of 0 fills up."""

    keys: Integers
    values: Floats

    @classmethod
    def of(cls, terms: list[Weighted]) -> Terms:
        """Z effects of each of R sums."""
        keys = np.stack([k for k, _ in terms], axis=1)
        return cls(keys, np.stack([v for _, v in terms], axis=1))

    def __len__(self) -> int:
        return len(self.keys)

    def and_terms(self, others: Terms | None) -> Terms:
        """The same sums with more effects each."""
        if others is None:
            return self
        return Terms(np.hstack([self.keys, others.keys]), np.hstack([self.values, others.values]))


@dataclass(frozen=True, slots=True)
class Wait:
    """An addend exp(effects) x amount of R sums."""

    terms: Terms
    log: Floats
    """Logarithm of the amount, [R]."""

    @classmethod
    def of(cls, keys: tuple[Integers, Integers], amount: Floats) -> Wait:
        """The effect of a tier and of a node, and the amount, all [R]."""
        one = np.ones(len(amount))
        return cls(Terms.of([(k, one) for k in keys]), np.log(np.maximum(amount, LEAST_WAIT)))


@dataclass
class Registry:
    """Numbers of all rows, nodes and variants that were ever seen; they outlive a platform."""

    rows: Names = field(default_factory=Names)
    nodes: Names = field(default_factory=Names)
    variants: Names = field(default_factory=Names)
    floor: dict[int, float] = field(default_factory=dict)
    """Shortest round trip that was seen of each node's link, milliseconds."""
    asks: Floats = field(default_factory=lambda: np.zeros(0))
    """Share of the windows in which each row asked, by its number."""
    _places: Places | None = None

    def asking(self, row: Integers) -> Floats:
        """Share of the windows in which rows (numbers) ask; 1 for one that never stayed silent."""
        if not len(self.asks):
            return np.ones(row.shape)
        known = np.where(row < len(self.asks), self.asks[np.minimum(row, len(self.asks) - 1)], 1.0)
        return np.where(known > ALWAYS, 1.0, known)

    def note_asked(self, row: Integers, asked: NDArray[np.bool_]) -> None:
        """Take in which of the rows (numbers) that had an option asked in a window."""
        grown = np.ones(max(int(row.max(initial=-1)) + 1, len(self.asks)))
        grown[: len(self.asks)] = self.asks
        grown[row] += ASKED_RATE * (asked - grown[row])
        self.asks = grown

    def places(self, platform: Platform) -> Places:
        """The platform as arrays; the latest is kept."""
        known = self._places
        if known is None or (known.platform is not platform and known.platform != platform):
            known = self._places = Places(platform, self)
        return known


def bucket_of(load: Floats) -> Integers:
    """The loads about the same, as a number below `len(KNOTS) + 1`, same shape."""
    found = np.searchsorted(LOG_KNOTS, np.log(np.maximum(load, KNOTS[0])) - 1e-9)
    return np.asarray(found, dtype=np.int64)


class Places:
    """A platform as arrays: where each option of each row runs."""

    def __init__(self, platform: Platform, registry: Registry) -> None:
        self.platform, self.registry = platform, registry
        options = platform.options
        self.tier = np.array([TIERS.index(o.tier) for o in options], dtype=np.int64)
        """Position in `TIERS` of each option's, [O]."""
        self.variant = registry.variants.of([o.variant for o in options])
        self.option = self.variant * len(TIERS) + self.tier
        """Number of each option that does not depend on the platform, [O]."""
        self.row = registry.rows.of(platform.devices)
        self.position = {d: i for i, d in enumerate(platform.devices)}
        hosts = [platform.host.get(d, d) for d in platform.devices]
        self.names = tuple(dict.fromkeys((*hosts, *platform.edges, platform.cloud)))
        """Every node, in the order of `signals`."""
        local = {name: k for k, name in enumerate(self.names)}
        self.number = registry.nodes.of(self.names)
        """Number of each node that does not depend on the platform, [nodes]."""
        self.host = np.array([local[h] for h in hosts], dtype=np.int64)
        self.home = np.array([local[e] for e in platform.home], dtype=np.int64)
        self.cloud = local[platform.cloud]
        cloud = np.full(len(hosts), self.cloud)
        self.node = np.stack([self.host, self.home, cloud], axis=1)[:, self.tier].astype(np.int64)
        """Index into `names` of the node of each option, [n, O]."""

    def cell(self, row: Integers, option: Integers, bucket: Integers) -> Integers:
        """Key of the effect of a row (index), an option (index) and about one load."""
        return key("cell", self.row[row], self.option[option] * MOST_BUCKETS + bucket)

    @cached_property
    def offered(self) -> NDArray[np.bool_]:
        """Whether a row may use an option, [n, O]."""
        place = self.platform
        if not place.lacking and not place.allowed and not place.variants:
            return np.ones(self.node.shape, dtype=bool)
        return np.array([[place.offers(d, o) for o in place.options] for d in place.devices])

    def amount(self, state: State, profile: Floats) -> Floats:
        """Load that each row's option adds to its node, [n, O]; `profile` as `self.profile`.

        In a round, the share of windows in which the row asks; else demand times the measured
        compute in seconds, the utilisation.
        """
        if not state.demand:
            return np.repeat(self.registry.asking(self.row)[:, None], len(self.tier), axis=1)
        demand = np.array([state.demand.get(d, 1.0) for d in self.platform.devices])
        if not profile.any():
            return np.repeat(demand[:, None], len(self.tier), axis=1)
        seconds: Floats = np.exp(profile[self.node, self.variant]) * PROFILE_UNIT / 1000.0
        return demand[:, None] * seconds

    def signals(self, state: State) -> Floats:
        """Condition of each node, [nodes, len(SIGNALS)]."""
        return conditions.signals(self.names, state)

    def waiting(self, state: State) -> Floats:
        """Backlog of each node, and how much slower its link is than it was at best, [nodes, 2]."""
        floor = [self.registry.floor.get(number) for number in self.number.tolist()]
        return conditions.waiting(self.names, floor, state)

    def profile(self, profile: Profile | None) -> Floats:
        """Logarithm of the measured compute of each node and variant, [nodes, V]; 0 unknown."""
        found = np.zeros((len(self.names), len(self.registry.variants.number)))
        for k, name in enumerate(self.names):
            for variant, ms in (profile or {}).get(name, {}).items():
                if ms > 0 and variant in self.registry.variants.number:
                    found[k, self.registry.variants[variant]] = np.log(ms / PROFILE_UNIT)
        return found


@dataclass(frozen=True)
class Encoder:
    """Effects on one platform in one state."""

    places: Places
    signal: Floats
    """Condition of each node, [nodes, len(SIGNALS)]."""
    profile: Floats
    """As `Places.profile`, [nodes, V]."""
    amount: Floats
    """Load that each row's option adds to its node, [n, O]."""
    waiting: Floats
    """What waits on each node and its link, [nodes, 2]."""
    condition: Integers
    """The condition of each node, roughly, as a number, [nodes]."""
    own_queue: Floats
    """As `own_queue.log_requests`, [n, O]."""
    demanded: bool = False
    """Whether requests arrive at a rate; else in rounds, and a row that asks is one whole load."""

    @classmethod
    def of(cls, places: Places, state: State, profile: Profile | None = None) -> Encoder:
        """For a state and the measured profiles."""
        signal, measured = places.signals(state), places.profile(profile)
        service_ms = PROFILE_UNIT * np.exp(measured[places.node, places.variant])
        return cls(places, signal, measured, places.amount(state, measured),
                   places.waiting(state), conditions.coarse(signal),
                   own_queue.log_requests(places.platform.devices, state.own_queue, service_ms),
                   bool(state.demand))  # fmt: skip

    @property
    def own_load(self) -> Floats:
        """Load of a node of its own under each option when the row asks, [n, O]."""
        return self.amount if self.demanded else np.ones(self.amount.shape)

    def service(self, node: Integers, option: Integers, load: Floats) -> Terms:
        """Service of an option on a node (index into `places.names`) under a load, all [R]."""
        places = self.places
        number, tier, variant = places.number[node], places.tier[option], places.variant[option]
        one = np.ones(len(node))
        terms = [
            (key("service") + 0 * node, one),
            (key("tier", tier), one),
            (key("variant", variant), one),
            (key("node", number), one),
            (key("node.variant", number, variant), one),
            *_of_load(tier, number, np.log(np.maximum(load, KNOTS[0]))),
            *self._of_condition(tier, number, node),
        ]
        if self.profile.any():
            terms.append((key("profile") + 0 * node, self.profile[node, variant]))
        return Terms.of(terms)

    def queueing(self, row: Integers, option: Integers) -> Terms | None:
        """What is added to the service of a row's option because its requests wait for each other.

        For all [R]; None where no row's do.
        """
        if not self.own_queue.any():
            return None
        tier, node = self.places.tier[option], self.places.node[row, option]
        value = self.own_queue[row, option]
        return Terms.of(own_queue.effects(tier, self.places.number[node], value))

    def _of_condition(self, tier: Integers, number: Integers, node: Integers) -> list[Weighted]:
        """What the signals that any node shows at present change about the service."""
        terms: list[Weighted] = []
        for s in np.flatnonzero(self.signal.any(axis=0)).tolist():
            if s in FACTORS:
                value = self.signal[node, s]
                terms += [(key("signal", s, tier), value), (key("node.signal", number, s), value)]
        return terms

    def network(self, row: Integers, option: Integers) -> Terms:
        """Network part of a row's (index into the platform's devices) option, both [R]."""
        places = self.places
        number, tier, one = places.row[row], places.tier[option], np.ones(len(row))
        terms = [
            (key("path", tier), one),
            (key("device", number), one),
            (key("device.path", number, tier), one),
        ]
        both = [(where, s) for where in (places.host[row], places.home[row]) for s in (LINK, WEAK)]
        for k, (where, s) in enumerate(both):
            if self.signal[:, s].any():
                terms.append((key("link", k, tier), self.signal[where, s]))
        return Terms.of(terms)

    def waits(self, row: Integers, option: Integers) -> list[Wait]:
        """What is added to the service: the backlog of the node, if there is any, for all [R]."""
        if not self.waiting[:, 0].any():
            return []
        places = self.places
        node, tier = places.node[row, option], places.tier[option]
        keys = key("wait", tier), key("node.wait", places.number[node])
        return [Wait.of(keys, self.waiting[node, 0])]

    def delays(self, row: Integers, option: Integers) -> list[Wait]:
        """What is added to the network part: slower links on the way, for all [R]."""
        places, tier, found = self.places, self.places.tier[option], []
        cloud = np.full(len(row), places.cloud)
        for s, where in enumerate((places.host[row], places.home[row], cloud)):
            if self.waiting[where, 1].any():
                number = places.number[where]
                keys = key("delay", s, tier), key("node.delay", number, tier)
                found.append(Wait.of(keys, self.waiting[where, 1]))
        return found


def _of_load(tier: Integers, number: Integers, log: Floats) -> list[Weighted]:
    """A power of the load, and bends at the knots beside it; `log` is the load's logarithm [R]."""
    terms = [(key("load", tier), log), (key("node.load", number), log)]
    right = np.clip(np.searchsorted(LOG_KNOTS, log), 1, len(KNOTS) - 1)
    share = (log - LOG_KNOTS[right - 1]) / (LOG_KNOTS[right] - LOG_KNOTS[right - 1])
    for knot, weight in ((right - 1, 1.0 - share), (right, share)):
        bend = weight * (KNOTS[knot] != 1.0)  # A load of one is where the line is fixed.
        terms += [(key("bend", tier, knot), bend), (key("node.bend", number, knot), bend)]
    return terms
