"""The deciding role: publishes decisions, answers requests, and runs rounds or windows."""

from __future__ import annotations

import asyncio
from functools import partial

from tercet.experience.reporting import report
from tercet.messaging.bus import Bus
from tercet.messaging.parameter_store import ParameterStore
from tercet.messaging.responder import responding
from tercet.process import metrics
from tercet.process.errors import RateLimited, ServiceError
from tercet.process.extras import require
from tercet.schemas.decision import Decision
from tercet.schemas.explain import Explain
from tercet.schemas.outcome import Outcome
from tercet.schemas.request import Request
from tercet.services.orchestrator.decide.decider_state import DeciderState
from tercet.services.orchestrator.decide.decision_publisher import DecisionPublisher
from tercet.services.orchestrator.decide.explanation import Explainer
from tercet.services.orchestrator.decide.node_registry import NodeRegistry
from tercet.services.orchestrator.decide.policy_process import policy_process
from tercet.services.orchestrator.decide.policy_versions import PolicyVersions
from tercet.services.orchestrator.decide.rate_limit import RateLimiter
from tercet.services.orchestrator.decide.reporting import learning_report
from tercet.services.orchestrator.decide.round_controller import RoundController
from tercet.services.orchestrator.decide.scheduler import Scheduler
from tercet.services.orchestrator.decide.subscriptions import Subscriptions
from tercet.services.orchestrator.decide.window_controller import WindowController
from tercet.services.orchestrator.settings import OrchestratorSettings


async def decide(bus: Bus, settings: OrchestratorSettings, stop: asyncio.Event) -> None:
    """Answer requests, and run rounds or windows, until `stop`."""
    agent = settings.policy
    if agent == "hybrid-paper":
        require("torch", extra="paper")
    async with policy_process(settings.seed, settings.regret_budget, agent) as policy:
        state = DeciderState(
            NodeRegistry(settings.absent, settings.forget, settings.deadline_ms),
            requests=RateLimiter(settings.rate),
            outcomes=RateLimiter(settings.rate),
            goal=settings.goal,
            goals=dict(settings.goals),
        )
        versions = PolicyVersions(bus, await ParameterStore.open(bus), policy)
        subscriptions = await Subscriptions.start(bus, state, versions)
        publisher = DecisionPublisher(bus, state, policy)
        announce = publisher.publish_changes
        controller = WindowController if settings.free_running else RoundController
        scheduler: Scheduler = controller(bus, settings, state, versions, policy, stop, announce)
        explainer = Explainer(state, policy)

        async def on_outcome(outcome: Outcome) -> None:
            if not state.outcomes.allow(outcome.device, state.now(), outcome.count):
                metrics.REFUSED.labels("outcome").inc()
                return
            explainer.add_outcome(outcome)
            await scheduler.on_outcome(outcome)

        await bus.subscribe(Outcome, on_outcome)
        async with responding(bus, "orchestrator") as responder:
            await responder.serve(Request, partial(answer, state, publisher), announce=True)
            await responder.serve(Explain, explainer.explain)
            bus.ready = True
            learning = partial(learning_report, state, versions, scheduler.metrics)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(subscriptions.refresh(stop))
                tasks.create_task(versions.write_changes(stop))
                tasks.create_task(scheduler.run())
                tasks.create_task(publisher.run(stop))
                tasks.create_task(report(bus, learning, stop))


async def answer(state: DeciderState, publisher: DecisionPublisher, request: Request) -> Decision:
    """The decision path: a look-up in the assignment in force, no network evaluation.

    Raises RateLimited for a device that sends more requests than it may, else as
    `DeciderState.fleet_with`: a device may ask before its inference service is ready.
    """
    device = request.device
    state.registry.mark_present(device, state.now())
    try:
        fleet = state.fleet_with(device)
    except ServiceError:
        metrics.REFUSED.labels("stranger").inc()
        raise
    if not state.requests.allow(device, state.now()):
        metrics.REFUSED.labels("request").inc()
        raise RateLimited(f"device: {device} asks more than {state.requests.per_second:g} a second")
    record = state.open_round
    in_round = record is not None and request.round_id == record.opened.id
    metrics.DECISIONS.labels(state.policy_name).inc()
    return Decision.caused_by(
        request,
        **publisher.fields(device, fleet),
        window=state.window,
        round=record.opened.number if record and in_round else None,
        round_id=request.round_id,
    )
