"""The gateway: takes pictures from its sources and answers them by the decision in force.

It does not need a broker: the last decision is on disk, and its own node's models can run here.
"""

from __future__ import annotations

import asyncio
from functools import cache

from tercet.messaging.bus import Bus
from tercet.messaging.outbox import Outbox
from tercet.messaging.stream_reader import last_on_subject
from tercet.models.classifier import Classifier
from tercet.process.errors import Misconfigured
from tercet.schemas.capability import Capability
from tercet.schemas.goal import GoalSet
from tercet.schemas.outcome import Outcome
from tercet.schemas.round import Round
from tercet.schemas.window_v1 import Window
from tercet.services.gateway.application import Answer, ApplicationRequest
from tercet.services.gateway.decision_in_force import DecisionInForce
from tercet.services.gateway.http_front import HttpFront
from tercet.services.gateway.local_fallback import LocalFallback
from tercet.services.gateway.local_inference import LocalInference
from tercet.services.gateway.model_families import ModelFamilies
from tercet.services.gateway.refused_requests import RefusedRequests
from tercet.services.gateway.reporter import Reporter
from tercet.services.gateway.request_pipeline import RequestPipeline
from tercet.services.gateway.settings import GatewaySettings
from tercet.services.gateway.sources.demonstration import Demonstration, load
from tercet.services.gateway.sources.folder import WatchedFolder
from tercet.services.gateway.window_in_force import WindowInForce


async def main(bus: Bus, settings: GatewaySettings, stop: asyncio.Event) -> None:
    """Answer requests, and make one in every round that names this device, until `stop`."""
    pictures = await asyncio.to_thread(load, settings)
    local = LocalFallback(settings.node, allowed=settings.allowed)
    decisions = DecisionInForce(settings.node, settings.state, settings.decision_timeout)
    windows, outbox = WindowInForce(), opened_outbox(bus, settings)
    refused = RefusedRequests(settings.node)
    reporter = Reporter(bus, outbox, windows, refused)

    @cache
    def classifier() -> Classifier:
        return Classifier(
            settings.models,
            families=settings.families,
            threads=settings.threads,
            cpu_share=settings.cpu_share,
        )

    pipeline = RequestPipeline(
        bus,
        settings,
        decisions,
        local,
        LocalInference(classifier),
        reporter.report,
        windows,
        refused,
    )
    families = await asyncio.to_thread(ModelFamilies, bus, settings, local)
    demonstration = Demonstration(settings, pipeline.infer, families)

    async def infer(request: ApplicationRequest) -> Answer:
        demonstration.step_aside()
        return await pipeline.infer(request)

    async def follow() -> None:
        if not await bus.reached(stop):
            return
        await follow_node(bus, settings, local, pipeline)
        await bus.subscribe(Window, windows.on_window)
        await bus.subscribe(Round, demonstration.on_round)
        bus.ready = True
        await decisions.follow(bus, stop)

    front = HttpFront(settings, infer, families, pipeline)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(follow())
        tasks.create_task(families.follow(stop))
        tasks.create_task(outbox.run(stop))
        tasks.create_task(reporter.run(stop))
        tasks.create_task(front.serve(stop))
        tasks.create_task(demonstration.run(pictures, stop))
        if settings.folder is not None:
            folder = WatchedFolder(settings, settings.folder, infer)
            tasks.create_task(folder.run(stop))


async def follow_node(
    bus: Bus, settings: GatewaySettings, local: LocalFallback, pipeline: RequestPipeline
) -> None:
    """Keep what the device can do by itself up to date: its variants, its tiers, the goal."""

    async def on_capability(message: Capability) -> None:
        local.profile_ms, local.accuracy_pct = message.profile_ms, message.accuracy_pct
        local.families = {name: one.variants for name, one in message.families.items()}
        pipeline.node_started(message.node)
        local.allowed = tuple(
            tier for tier in settings.allowed if message.allowed is None or tier in message.allowed
        )

    async def on_goal(message: GoalSet) -> None:
        local.set_goal(message.goal)

    await bus.subscribe(Capability, on_capability, node=settings.node)
    known = await last_on_subject(bus, Capability, Capability.pattern(node=settings.node))
    if known is not None:
        await on_capability(known)
    await bus.subscribe(GoalSet, on_goal)


def opened_outbox(bus: Bus, settings: GatewaySettings) -> Outbox:
    """Storage for outcomes while the broker cannot be reached; Misconfigured if it is unusable."""
    try:
        return Outbox(
            bus,
            Outcome,
            settings.spool,
            max_bytes=settings.spool_bytes,
            max_age=settings.spool_age,
        )
    except OSError as error:
        raise Misconfigured(f"TERCET_SPOOL: {settings.spool}: {error.strerror}") from error
