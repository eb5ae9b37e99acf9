"""The nodes of an environment as the bus sees them: capabilities, telemetry, requests, outcomes."""

from __future__ import annotations

import asyncio

from tercet.messaging.bus import Bus
from tercet.process import log
from tercet.process.errors import NoAnswer, Unprocessable
from tercet.rl import experience
from tercet.rl.costs.encoding import Profile
from tercet.rl.experience import State
from tercet.rl.options import Option
from tercet.rl.platform import Platform
from tercet.schemas.capability import Capability
from tercet.schemas.decision import Decision
from tercet.schemas.fleet import Condition
from tercet.schemas.outcome import Attempt, Fallback, Outcome
from tercet.schemas.request import Request
from tercet.schemas.round import Round
from tercet.schemas.telemetry import Telemetry
from tercet.sim.environment import Environment

DECISION_TIMEOUT_S = 2.0
"""Seconds to wait for each decision."""
FALLBACKS: dict[str, Fallback] = {
    "overloaded": "overloaded",
    "refused": "refused",
    "timed-out": "no-responder",
    "no-responder": "no-responder",
}
"""Result of a failed attempt to the reason of the fallback after it."""

_log = log.get(__name__)


class SimulatedNodes:
    """All devices, edges and the cloud of one environment."""

    def __init__(self, bus: Bus, world: Environment, *, seed: int, speed: float) -> None:
        """`speed` is in virtual seconds per second."""
        self._bus, self._world, self._speed = bus, world, speed
        self._state = world.reset(seed)

    async def publish_capabilities(self) -> None:
        """Publish the tier and the variants of every node."""
        profile = getattr(self._world, "profile_ms", {})
        for capability in capabilities(self._world.platform, profile):
            await self._bus.publish(capability)

    async def publish_telemetry(self) -> None:
        """Publish the condition of every node."""
        for telemetry in conditions(self._world.platform, self._state):
            await self._bus.publish(telemetry)

    async def run_round(self, opened: Round) -> None:
        """Request a decision for each active device, take one real step, publish the outcomes."""
        active = self._state.active
        decisions = dict(
            zip(
                active,
                await asyncio.gather(*(self._request(d, opened) for d in active)),
                strict=True,
            )
        )
        step = self._world.step({d: option for d, (option, _) in decisions.items()})
        await asyncio.sleep(max(step.response_ms.values(), default=0.0) / 1000 / self._speed)
        self._state = step.state
        await self.publish_telemetry()
        await asyncio.gather(
            *(
                self._bus.publish(outcome(self._world.platform, opened, d, *decisions[d], step))
                for d in step.response_ms
            )
        )

    async def _request(self, device: str, opened: Round) -> tuple[Option, Decision | None]:
        request = Request.caused_by(opened, key=device, device=device, round_id=opened.id)
        try:
            decision = await self._bus.request(request, Decision, DECISION_TIMEOUT_S)
            option = Option.parse(decision.option)
            if option in self._world.platform.options:
                return option, decision
            _log.error("decision names no option of the world", option=decision.option)
        except (NoAnswer, Unprocessable) as error:
            _log.warning("simulated device got no decision", device=device, reason=str(error))
        return self._without_decision(device), None

    def _without_decision(self, device: str) -> Option:
        """What a device runs by itself: its most accurate local option, or else any that it has."""
        platform = self._world.platform
        offered = [o for o in platform.options if platform.offers(device, o)]
        local = [o for o in offered if o.tier == "L"]
        return max(local or offered, key=lambda o: platform.accuracy[o.variant])


def capabilities(platform: Platform, profile: Profile) -> list[Capability]:
    """The capability message of every node of a platform.

    It has no speeds, which are to be learned, unless the world has a `profile_ms`: node to variant
    to the milliseconds that the node has measured without load.
    """
    local = {o.variant for o in platform.options if o.tier == "L"}
    edge = {o.variant for o in platform.options if o.tier == "E"}
    cloud = {o.variant for o in platform.options if o.tier == "C"}

    def capability(node: str, tier: str, variants: set[str], home: str | None = None) -> Capability:
        accuracy = {v: platform.accuracy[v] for v in sorted(variants)}
        return Capability.model_validate(
            {
                "node": node,
                "tier": tier,
                "home": home,
                "accuracy_pct": accuracy,
                "profile_ms": profile.get(node, {}),
                "weights": "simulated",
            }
        )

    return [
        *(
            capability(device, "device", local, home)
            for device, home in zip(platform.devices, platform.home, strict=True)
        ),
        *(capability(name, "edge", edge) for name in platform.edges),
        capability(platform.cloud, "cloud", cloud),
    ]


def conditions(platform: Platform, state: State) -> list[Telemetry]:
    """The telemetry of every node; that of a device which is not active has `leaving` set."""
    return [
        Telemetry(
            node=name,
            condition=Condition(
                cpu=state.node(name).cpu,
                memory=state.node(name).memory,
                link_ms=state.node(name).link_ms,
                weak=state.node(name).weak,
                backlog=state.node(name).backlog,
                temperature=state.node(name).temperature,
                throttled=state.node(name).throttled,
            ),
            leaving=name in platform.devices and name not in state.active,
        )
        for name in (*platform.devices, *platform.edges, platform.cloud)
    ]


def outcome(
    platform: Platform,
    opened: Round,
    device: str,
    option: Option,
    decision: Decision | None,
    step: experience.Outcome,
) -> Outcome:
    """The outcome of one device, in virtual time, with what the world tells about it."""
    tried = attempts(platform, device, step)
    failed = [a.result for a in tried if a.result != "ok"]
    executed = tried[-1].option if tried else str(option)
    parts = step.parts.get(device)
    return Outcome.caused_by(
        decision or opened,
        key=device,
        device=device,
        node=tried[-1].node if tried else platform.node(device, option),
        assigned=decision.option if decision else None,
        executed=executed,
        fallback=FALLBACKS[failed[-1]] if failed else "none" if decision else "no-decision",
        response_ms=step.response_ms[device],
        network_ms=parts.network_ms if parts else 0.0,
        queue_ms=parts.queue_ms if parts else 0.0,
        compute_ms=parts.compute_ms if parts else 0.0,
        attempts=tried,
        round=opened.number,
        round_id=opened.id,
        simulated=True,
    )


def attempts(platform: Platform, device: str, step: experience.Outcome) -> tuple[Attempt, ...]:
    """The tries of a device's one request, the successful one last; empty if the world has none."""
    made = sorted(step.attempts.get(device, ()), key=lambda tried: tried.result == "ok")
    if any(tried.count != 1 for tried in made):  # Of several requests: not those of one outcome.
        return ()
    return tuple(
        Attempt(
            option=str(tried.option),
            node=platform.node(device, tried.option),
            result=tried.result,
            ms=tried.total_ms,
        )
        for tried in made
    )
