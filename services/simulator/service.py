"""One process in the place of all devices and nodes: a world in a box, on the real bus.

It introduces every node of an environment, answers each round as all devices at once, calls
`Environment.step` once, and publishes outcomes with the environment's virtual times, marked
`simulated`. Started by `tercet up --world …`; by hand: `python -m tercet.services.simulator`.
"""

from __future__ import annotations

import asyncio
import importlib
import sys
from pathlib import Path

from pydantic import Field

from tercet.messaging.bus import Bus
from tercet.process import log
from tercet.process.errors import Misconfigured, NoAnswer, Unprocessable
from tercet.process.settings import BusSettings
from tercet.rl.experience import State
from tercet.rl.features import Profile
from tercet.rl.platform import Option, Platform
from tercet.schemas.capability import Capability
from tercet.schemas.decision import Decision
from tercet.schemas.experience import Experience
from tercet.schemas.fleet import Condition
from tercet.schemas.outcome import Outcome
from tercet.schemas.request import Request
from tercet.schemas.round import Round
from tercet.schemas.telemetry import Telemetry
from tercet.services.simulator.regret_evaluator import RegretEvaluator
from tercet.sim.environment import Environment, lacking
from tercet.sim.scenarios import paper

PAPER = "paper-"
BEAT = 1.0
"""Seconds between two telemetry messages of each node while nothing happens."""
DECISION_PATIENCE = 2.0
"""Seconds to wait for each decision."""
LAST_RESORT = Option("d0", "L")

_log = log.get(__name__)


class Settings(BusSettings):
    """Read from `TERCET_…`."""

    world: str = "paper-A"
    """`paper-A` to `paper-D`, or `package.module:factory` of anyone's environment."""
    users: int = Field(5, ge=1)
    """Devices of a paper scenario."""
    speed: float = Field(50.0, gt=0)
    """Virtual seconds per second."""
    seed: int = Field(0, ge=0)
    """Where the world's chance begins."""


def load(spec: str, users: int) -> Environment:
    """Make an environment from its name; raises Misconfigured that says what is wrong with it."""
    if spec.startswith(PAPER):
        try:
            return paper(spec.removeprefix(PAPER), users)
        except ValueError as error:
            raise Misconfigured(f"world {spec!r}: {error}") from error
    module, colon, factory = spec.partition(":")
    if not colon:
        raise Misconfigured(f"world {spec!r}: expected paper-A..D or package.module:factory")
    sys.path.insert(0, str(Path.cwd()))
    try:
        world: Environment = getattr(importlib.import_module(module), factory)()
    except (ImportError, AttributeError, TypeError) as error:
        raise Misconfigured(f"world {spec!r}: {error}") from error
    if missing := lacking(world):
        raise Misconfigured(f"world {spec!r}: it made something without {missing}")
    return world


async def main(bus: Bus, settings: Settings, stop: asyncio.Event) -> None:
    """Be the world until `stop`."""
    box = Box(bus, load(settings.world, settings.users), settings)
    rounds: asyncio.Queue[Round] = asyncio.Queue()
    await bus.subscribe(Round, rounds.put)
    await bus.subscribe(Experience, Teller(bus, box.world).tell)
    await box.introduce()
    bus.ready = True
    while not stop.is_set():
        try:
            async with asyncio.timeout(BEAT):
                opened = await rounds.get()
        except TimeoutError:
            await box.beat()
            continue
        await box.round(opened)


class Box:
    """The environment and what the bus knows of it."""

    def __init__(self, bus: Bus, world: Environment, settings: Settings) -> None:
        self._bus, self.world, self._speed = bus, world, settings.speed
        self._state = world.reset(settings.seed)

    async def introduce(self) -> None:
        """Say what every node can do, and how it is."""
        profile = getattr(self.world, "profile_ms", {})
        for capability in capabilities(self.world.platform, profile):
            await self._bus.publish(capability)
        await self.beat()

    async def beat(self) -> None:
        """Say how every node is."""
        for telemetry in conditions(self.world.platform, self._state):
            await self._bus.publish(telemetry)

    async def round(self, opened: Round) -> None:
        """Ask for all devices, take one real step, report for all devices."""
        active = self._state.active
        decisions = dict(
            zip(active, await asyncio.gather(*(self._ask(d, opened) for d in active)), strict=True)
        )
        outcome = self.world.step({d: option for d, (option, _) in decisions.items()})
        await asyncio.sleep(max(outcome.response_ms.values()) / 1000 / self._speed)
        self._state = outcome.state
        await self.beat()
        await asyncio.gather(
            *(
                self._bus.publish(reported(self.world.platform, opened, d, *decisions[d], ms))
                for d, ms in outcome.response_ms.items()
            )
        )

    async def _ask(self, device: str, opened: Round) -> tuple[Option, Decision | None]:
        request = Request.because(opened, key=device, device=device, round_id=opened.id)
        try:
            decision = await self._bus.request(request, Decision, DECISION_PATIENCE)
            option = Option.parse(decision.option)
            if option in self.world.platform.options:
                return option, decision
            _log.error("bad decision", option=decision.option)
        except (NoAnswer, Unprocessable) as error:
            _log.warning("no decision", device=device, reason=str(error))
        return LAST_RESORT, None


class Teller:
    """Tells people, and nobody else, how far the policy is from the optimum."""

    def __init__(self, bus: Bus, world: Environment) -> None:
        self._bus, self._judge = bus, RegretEvaluator(world)

    async def tell(self, experience: Experience) -> None:
        """Judge a round that has closed."""
        if await asyncio.to_thread(self._judge.see, experience):
            await self._bus.publish(self._judge.truth(experience))


def capabilities(platform: Platform, profile: Profile) -> list[Capability]:
    """What every node of a platform would say.

    Nothing about speed, that is to be learned, unless the world has a `profile_ms`: node to
    variant to the milliseconds that the node has measured without load.
    """
    local = {o.variant for o in platform.options if o.tier == "L"}
    edge = {o.variant for o in platform.options if o.tier == "E"}
    cloud = {o.variant for o in platform.options if o.tier == "C"}

    def said(node: str, tier: str, variants: set[str], home: str | None = None) -> Capability:
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
            said(device, "device", local, home)
            for device, home in zip(platform.devices, platform.home, strict=True)
        ),
        *(said(name, "edge", edge) for name in platform.edges),
        said(platform.cloud, "cloud", cloud),
    ]


def conditions(platform: Platform, state: State) -> list[Telemetry]:
    """How every node is; a device that is not active says goodbye."""
    return [
        Telemetry(
            node=name,
            condition=Condition(
                cpu=state.node(name).cpu,
                memory=state.node(name).memory,
                link_ms=state.node(name).link_ms,
                weak=state.node(name).weak,
            ),
            leaving=name in platform.devices and name not in state.active,
        )
        for name in (*platform.devices, *platform.edges, platform.cloud)
    ]


def reported(
    platform: Platform,
    opened: Round,
    device: str,
    option: Option,
    decision: Decision | None,
    response_ms: float,
) -> Outcome:
    """The outcome of one device, in virtual time."""
    return Outcome.because(
        decision or opened,
        key=device,
        device=device,
        node=platform.node(device, option),
        assigned=decision.option if decision else None,
        executed=str(option),
        fallback="none" if decision else "no-decision",
        response_ms=response_ms,
        round=opened.number,
        round_id=opened.id,
        simulated=True,
    )
