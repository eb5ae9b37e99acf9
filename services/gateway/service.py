"""The gateway: sends one request per round, or at an interval of its own when no round comes."""

from __future__ import annotations

import asyncio
from functools import cache, partial
from itertools import cycle

from tercet.messaging.bus import Bus
from tercet.messaging.outbox import Outbox
from tercet.messaging.stream_reader import last_on_subject
from tercet.models.classifier import Classifier
from tercet.models.errors import AssetError
from tercet.models.images import Picture, load_pictures
from tercet.process import log, metrics, tracing
from tercet.process.errors import Misconfigured
from tercet.schemas.capability import Capability
from tercet.schemas.goal import GoalSet
from tercet.schemas.outcome import Outcome
from tercet.schemas.round import Round
from tercet.services.gateway.application_requests import infer_with, offered_families
from tercet.services.gateway.http_front import HttpFront
from tercet.services.gateway.local_fallback import LocalFallback
from tercet.services.gateway.request_pipeline import RequestPipeline
from tercet.services.gateway.settings import GatewaySettings

_log = log.get(__name__)


async def main(bus: Bus, settings: GatewaySettings, stop: asyncio.Event) -> None:
    """Make a request in every round that names this device, until `stop`."""
    pictures = cycle(await asyncio.to_thread(load, settings))
    fallback = LocalFallback(settings.node)
    rounds: asyncio.Queue[Round] = asyncio.Queue(1)

    async def on_round(opened: Round) -> None:
        if settings.node in opened.devices:
            if rounds.full():  # Rounds may come during a request: only the newest counts.
                rounds.get_nowait()
            rounds.put_nowait(opened)

    async def on_goal(message: GoalSet) -> None:
        fallback.set_goal(message.goal)

    async def on_capability(message: Capability) -> None:
        fallback.profile_ms, fallback.accuracy_pct = message.profile_ms, message.accuracy_pct

    @cache
    def local_classifier() -> Classifier:
        return Classifier(settings.models, threads=settings.threads, cpu_share=settings.cpu_share)

    await bus.subscribe(Capability, on_capability, node=settings.node)
    known = await last_on_subject(bus, Capability, Capability.pattern(node=settings.node))
    if known is not None:
        await on_capability(known)
    await bus.subscribe(GoalSet, on_goal)
    await bus.subscribe(Round, on_round)
    pipeline = RequestPipeline(bus, settings, fallback, local_classifier)
    outbox = opened_outbox(bus, settings)
    families = await asyncio.to_thread(offered_families, settings.family, settings.models, fallback)
    front = HttpFront(settings, infer_with(pipeline, partial(report, outbox)), families)
    bus.ready = True
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(outbox.run(stop))
        tasks.create_task(front.serve(stop))
        while not stop.is_set():
            opened = await next_round(rounds, stop, settings.idle)
            if not stop.is_set():
                await one_request(outbox, pipeline, next(pictures), opened)


async def next_round(
    rounds: asyncio.Queue[Round], stop: asyncio.Event, idle: float
) -> Round | None:
    """Wait for a round, `stop`, or `idle` seconds; of several rounds return the newest."""
    arrival = asyncio.ensure_future(rounds.get())
    stopping = asyncio.ensure_future(stop.wait())
    await asyncio.wait({arrival, stopping}, timeout=idle, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not arrival.done():
        arrival.cancel()
        return None
    opened = arrival.result()
    while not rounds.empty():
        opened = rounds.get_nowait()
    return opened


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


async def one_request(
    outbox: Outbox, pipeline: RequestPipeline, picture: Picture, opened: Round | None
) -> None:
    """Make one request and report its outcome."""
    try:
        with tracing.span("request"):  # Span of decision, inference and outcome.
            await report(outbox, await pipeline.run(picture.jpeg, opened))
    except AssetError as error:
        _log.error("request failed", picture=picture.name, reason=str(error))


async def report(outbox: Outbox, outcome: Outcome) -> None:
    """Count an outcome, and hand it over for publication."""
    tier = outcome.executed[-1]
    metrics.REQUESTS.labels(tier, outcome.fallback).inc()
    metrics.RESPONSE.labels(tier).observe(outcome.response_ms / 1000)
    await outbox.put(outcome)


def load(settings: GatewaySettings) -> list[Picture]:
    """Load the pictures and log the skipped ones; raises Misconfigured when none is usable."""
    try:
        pictures, skipped = load_pictures(settings.images)
    except AssetError as error:
        raise Misconfigured(str(error)) from error
    for name, reason in skipped:
        _log.warning("picture skipped", name=name, reason=reason)
    return pictures
