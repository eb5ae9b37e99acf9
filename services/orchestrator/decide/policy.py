"""Choose an assignment: by the learned policy, or by a fixed one it is compared with."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from typing import TYPE_CHECKING

import numpy as np

from tercet.experience.translation import experience_of, platform_of, state_of
from tercet.process import log
from tercet.rl.assign import solve
from tercet.rl.availability import OUT_OF_REACH_MS, avoiding
from tercet.rl.experience import Experience, State
from tercet.rl.goal import Goal, parse_goal, required_accuracy
from tercet.rl.platform import Option, Platform, decode
from tercet.rl.quarantine import Quarantine, Verdict
from tercet.rl.reasons import Reasons
from tercet.schemas import experience as words
from tercet.schemas.fleet import Condition, Fleet
from tercet.services.orchestrator.decide.schedule import CLOUD, EDGE, EXPLORE, GREEDY, LOCAL

if TYPE_CHECKING:
    from tercet.rl.hybrid import RegretAccount
    from tercet.services.orchestrator.decide.policy_snapshot import PolicySnapshot

_log = log.get(__name__)

RECENT = 8
"""Rounds on which new parameters are compared with the present ones."""


class Refused(Exception):
    """New parameters are worse than the present ones, which stay."""


class Policy:
    """The parameters in force and the chance to explore with."""

    def __init__(self, seed: int, budget: float | None = None) -> None:
        """`budget`: what exploring may cost in the long run, as a share; None: whatever it does."""
        self._rng = np.random.default_rng(seed)
        self._learned: PolicySnapshot | None = None
        self._quarantine = Quarantine()
        self._seen: deque[words.Experience] = deque(maxlen=RECENT)
        self._budget = budget
        self._account: RegretAccount | None = None
        self._held = 0

    @property
    def version(self) -> int | None:
        """Of the parameters in force."""
        return None if self._learned is None else self._learned.version

    def adopt(self, version: int, blob: bytes, *, unchecked: bool = False) -> None:
        """Take up new parameters; ValueError when they are malformed, Refused when they are worse.

        They are compared with the present ones on the latest rounds; those stay if refused.
        `unchecked`: they have decided before, or a person wants them.
        """
        from tercet.services.orchestrator.decide.policy_snapshot import (
            PolicySnapshot,  # Torch takes seconds: not before.
        )

        fresh = PolicySnapshot(version, blob)
        if (lately := self._lately()) and not unchecked:
            fleet, told = lately
            why = fresh.objection(self._learned, platform_of(fleet), told, fleet.profile_ms)
            if why:
                raise Refused(why)
        self._learned = fresh

    def costs(self, blob: bytes) -> tuple[float, float] | None:
        """What the present parameters' greedy assignment costs by the latest rounds, and what
        those of `blob` would, average ms; None when nothing is learned or seen yet.
        """
        from tercet.services.orchestrator.decide.policy_snapshot import PolicySnapshot

        lately = self._lately()
        if self._learned is None or lately is None:
            return None
        fleet, told = lately
        return self._learned.costs(
            PolicySnapshot(-1, blob), platform_of(fleet), told, fleet.profile_ms
        )

    def _lately(self) -> tuple[Fleet, list[Experience]] | None:
        """The latest rounds of the present fleet."""
        if not self._seen:
            return None
        fleet = self._seen[-1].fleet
        return fleet, [experience_of(e) for e in self._seen if e.fleet == fleet]

    def purse(self) -> tuple[float | None, int]:
        """Milliseconds that exploring may still cost (None: unbounded), and rounds held back."""
        left = None if self._account is None else max(0.0, self._account.saved)
        return left, self._held

    def screen(self, seen: words.Experience) -> dict[str, Verdict]:
        """What becomes of each outcome of a round (`tercet.rl.quarantine`); remembered for the next."""
        for device in seen.quarantined:
            self._quarantine.silence(device)
        platform, told = platform_of(seen.fleet), experience_of(seen)
        verdicts = self._quarantine.judge(platform, told, seen.fleet.profile_ms)
        refused = {d: v.reason for d, v in verdicts.items() if v.reason}
        self._seen.append(seen.model_copy(update={"quarantined": {**seen.quarantined, **refused}}))
        return verdicts

    def choose(
        self,
        name: str,
        fleet: Fleet,
        active: tuple[str, ...],
        conditions: dict[str, Condition],
        goal: str,
        unavailable: Collection[str] = (),
    ) -> dict[str, str]:
        """Return an option for each active device, nodes that are `unavailable` avoided.

        Before anything is learned, and where what was learned does not fit: `profile`.
        """
        platform = platform_of(fleet)
        fixed = FIXED.get(name)
        if fixed in platform.options and all(platform.offers(d, fixed) for d in active):
            return dict.fromkeys(active, str(fixed))
        parsed, state = parse_goal(goal), state_of(active, conditions)
        chosen = self._by_parameters(name, platform, state, parsed, fleet, unavailable)
        if chosen is None:
            chosen = by_profile(platform, fleet, state, parsed, unavailable)
        return {device: str(chosen[device]) for device in active}

    def _by_parameters(
        self,
        name: str,
        platform: Platform,
        state: State,
        goal: Goal,
        fleet: Fleet,
        unavailable: Collection[str],
    ) -> dict[str, Option] | None:
        """What the parameters say; None without any, or when they were learned on other options."""
        if self._learned is None or name not in (EXPLORE, GREEDY):
            return None
        explore, profile = name == EXPLORE, fleet.profile_ms
        try:
            if explore and self._budget is not None and self._account is None:
                self._account = self._learned.opening(self._budget, platform, state, goal, profile)
            chosen, self._account = self._learned.choose(
                self._rng,
                platform,
                state,
                goal,
                profile,
                unavailable,
                explore_within=self._account,
                explore=explore,
                unheard=self._seen[-1].quarantined if self._seen else (),
            )
            self._held += explore and self._account is not None and self._learned.greedy
            return chosen
        except ValueError as error:
            _log.error("parameters do not fit", version=self.version, reason=str(error))
            self._learned = None
            return None

    def explain(
        self,
        name: str,
        fleet: Fleet,
        active: tuple[str, ...],
        conditions: dict[str, Condition],
        goal: str,
        unavailable: Collection[str],
        in_force: dict[str, str],
    ) -> tuple[Reasons | None, int | None]:
        """Why policy `name` put that in force, and the head that chose it; draws no chance.

        No reasons before anything is learned, and where what was learned does not fit.
        """
        if self._learned is None:
            return None, None
        known = {d: o for d, o in in_force.items() if d in active and o in fleet.options}
        try:
            return self._learned.explain(
                platform_of(fleet),
                state_of(active, conditions),
                parse_goal(goal),
                {d: Option.parse(text) for d, text in known.items()},
                fleet.profile_ms,
                unavailable,
                explored=name == EXPLORE,
            )
        except ValueError as error:
            _log.warning("cannot be explained", version=self.version, reason=str(error))
            return None, None


FIXED = {LOCAL: Option("d0", "L"), EDGE: Option("d0", "E"), CLOUD: Option("d0", "C")}


def by_profile(
    platform: Platform, fleet: Fleet, state: State, goal: Goal, unavailable: Collection[str] = ()
) -> dict[str, Option]:
    """The solver on the nodes' start-up profiles, blind to contention and links."""
    devices = tuple(d for d in platform.devices if d in state.active)
    costs = np.empty((len(devices), len(platform.options), len(devices)))
    for i, device in enumerate(devices):
        for k, option in enumerate(platform.options):
            profile = fleet.profile_ms.get(platform.node(device, option), {})
            costs[i, k, :] = profile.get(option.variant, OUT_OF_REACH_MS)
    home = [platform.edges.index(platform.home[platform.devices.index(d)]) for d in devices]
    solution = solve(
        avoiding(platform, devices, costs, unavailable),
        platform.option_accuracy,
        required_accuracy(goal, (platform.accuracy[o.variant] for o in platform.options)),
        [o.tier for o in platform.options],
        home,
    )
    return decode(platform, devices, solution.choice)
