"""Choose an assignment as the paper's agent does: epsilon-greedy by the parameters in force."""

from __future__ import annotations

import numpy as np

from tercet.process import log
from tercet.rl.explanation_data import Reasons
from tercet.rl.options import Option
from tercet.rl.paper.decision import decide
from tercet.rl.paper.networks import use_one_thread
from tercet.rl.paper.parameters import Parameters, from_bytes
from tercet.rl.paper.settings import HybridPaperSettings
from tercet.schemas.experience_v2 import Experience
from tercet.services.orchestrator.decide.fixed_policies import FIXED, by_profile, fixed
from tercet.services.orchestrator.decide.policy_interface import DecisionContext
from tercet.services.orchestrator.decide.schedule import EXPLORE, GREEDY

_log = log.get(__name__)


class PaperPolicy:
    """The `DecisionPolicy` of `hybrid-paper`; it neither compares versions nor explains."""

    def __init__(self, seed: int, settings: HybridPaperSettings | None = None) -> None:
        use_one_thread()
        self._rng = np.random.default_rng(seed)
        self._settings = settings or HybridPaperSettings()
        self._parameters: Parameters | None = None

    def adopt(self, version: int, blob: bytes, unchecked: bool = False) -> None:
        """As `DecisionPolicy.adopt`."""
        self._parameters = from_bytes(blob)

    def choose(self, name: str, context: DecisionContext) -> dict[str, str] | None:
        """As `DecisionPolicy.choose`; without parameters that fit, `profile` decides."""
        if name in FIXED:
            return fixed(FIXED[name], context)
        chosen = self._by_parameters(name, context) or by_profile(context)
        return {device: str(chosen[device]) for device in context.active}

    def _by_parameters(self, name: str, context: DecisionContext) -> dict[str, Option] | None:
        if self._parameters is None or name not in (EXPLORE, GREEDY):
            return None
        try:
            decision = decide(
                self._parameters,
                context.platform,
                context.state,
                context.parsed_goal,
                self._settings,
                self._rng if name == EXPLORE else None,
                context.unavailable,
            )
        except ValueError as error:
            _log.error("parameters do not fit", reason=str(error))
            self._parameters = None
            return None
        return dict(decision.assignment)

    def explain(
        self, name: str, context: DecisionContext, in_force: dict[str, str]
    ) -> Reasons | None:
        """As `DecisionPolicy.explain`; Q says nothing about a single device."""
        return None

    def expected_ms(
        self, context: DecisionContext, in_force: dict[str, str]
    ) -> dict[str, dict[str, float]] | None:
        """As `DecisionPolicy.expected_ms`; Q says nothing about a single device."""
        return None

    def add_round(self, experience: Experience) -> None:
        """As `DecisionPolicy.add_round`."""

    def costs(self, blob: bytes) -> tuple[float, float] | None:
        """As `DecisionPolicy.costs`: versions are not compared."""
        return None

    def exploration_budget(self) -> tuple[float | None, int]:
        """As `DecisionPolicy.exploration_budget`: epsilon is constant."""
        return None, 0
