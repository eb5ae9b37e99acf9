"""Choose an assignment: by the learned policy, or by a fixed one it is compared with."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

import numpy as np

from rl.assign import solve
from rl.experience import State
from rl.goal import Goal, parse_goal, required_accuracy
from rl.platform import Option, Platform, decode
from rl.quarantine import Quarantine, Verdict
from rl.reach import OUT_OF_REACH_MS, avoiding
from rl.reasons import Reasons
from runtime import log
from schemas import experience as words
from schemas.fleet import Condition, Fleet
from services.orchestrator.schedule import CLOUD, EDGE, EXPLORE, GREEDY, LOCAL
from services.translate import experience_of, platform_of, state_of

if TYPE_CHECKING:
    from services.orchestrator.learned import Learned

_log = log.get(__name__)


class Policy:
    """The parameters in force and the chance to explore with."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        self._learned: Learned | None = None
        self._quarantine = Quarantine()

    @property
    def version(self) -> int | None:
        """Of the parameters in force."""
        return None if self._learned is None else self._learned.version

    def adopt(self, version: int, blob: bytes) -> None:
        """Take up new parameters; raises ValueError when they are malformed."""
        from services.orchestrator.learned import Learned  # Torch takes seconds: not before.

        self._learned = Learned(version, blob)

    def screen(self, seen: words.Experience) -> dict[str, Verdict]:
        """What becomes of each outcome of a round (`rl.quarantine`); remembered for the next."""
        for device in seen.quarantined:
            self._quarantine.silence(device)
        platform, told = platform_of(seen.fleet), experience_of(seen)
        return self._quarantine.judge(platform, told, seen.fleet.profile_ms)

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
            return self._learned.choose(
                self._rng, platform, state, goal, profile, unavailable, explore=explore
            )
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
