"""The shell of the deciding role: requests are answered from a table, rounds go on beside."""

from __future__ import annotations

import asyncio
from functools import partial

from tercet.experience.reporting import report
from tercet.messaging.bus import Bus
from tercet.messaging.responder import responding
from tercet.process import metrics
from tercet.process.errors import RateLimited, TryLater
from tercet.schemas.decision import Decision
from tercet.schemas.explain import Explain
from tercet.schemas.outcome import Outcome
from tercet.schemas.request import Request
from tercet.services.orchestrator.decide.decider_state import DeciderState
from tercet.services.orchestrator.decide.explanation import Explaining
from tercet.services.orchestrator.decide.policy_process import thinking
from tercet.services.orchestrator.decide.reporting import said
from tercet.services.orchestrator.decide.round_controller import RoundController
from tercet.services.orchestrator.settings import Settings


async def decide(bus: Bus, settings: Settings, stop: asyncio.Event) -> None:
    """Answer requests and conduct rounds until `stop`."""
    async with thinking(settings.seed, settings.regret_budget) as policy:
        situation = await DeciderState.recall(bus, settings, policy)
        conductor = RoundController(bus, settings, situation, stop)
        explaining = Explaining(situation, conductor)

        async def on_outcome(outcome: Outcome) -> None:
            if not situation.reports.allow(outcome.device, situation.now()):
                metrics.REFUSED.labels("outcome").inc()
                return
            explaining.remember(outcome)
            await conductor.on_outcome(outcome)

        await bus.subscribe(Outcome, on_outcome)
        async with responding(bus, "orchestrator") as answers:
            await answers.serve(Request, partial(answer, situation, conductor), announce=True)
            await answers.serve(Explain, explaining.explain)
            bus.ready = True
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(situation.refresh(stop))
                tasks.create_task(situation.versions.notes.keep(stop))
                tasks.create_task(conductor.conduct())
                tasks.create_task(report(bus, partial(said, situation, conductor), stop))


async def answer(situation: DeciderState, conductor: RoundController, request: Request) -> Decision:
    """The decision path: a look-up in the assignment in force, no network evaluation.

    Raises TryLater for a device whose node has not said what it can do (it may ask before its
    inference service is there) or was left out, RateLimited for one that asks more than it may.
    """
    fleet, device = situation.roster.fleet, request.device
    situation.roster.alive(device, situation.now())
    if fleet is None or device not in fleet.devices:
        metrics.REFUSED.labels("stranger").inc()
        raise TryLater(f"device: {device} has not said what it can do")
    if not situation.requests.allow(device, situation.now()):
        metrics.REFUSED.labels("request").inc()
        limit = situation.requests.per_second
        raise RateLimited(f"device: {device} asks more than {limit:g} a second")
    option = conductor.in_force.get(device, "d0@L")
    ledger = conductor.ledger
    in_round = ledger is not None and request.round_id == ledger.opened.id
    metrics.DECISIONS.labels(conductor.policy_name).inc()
    return Decision.because(
        request,
        device=device,
        option=option,
        node=fleet.node(device, option),
        goal=situation.goal,
        policy=conductor.policy_name,
        policy_version=situation.policy.version,
        round=ledger.opened.number if ledger and in_round else None,
        round_id=request.round_id,
    )
