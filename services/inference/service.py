"""The shell: hear pictures, think in a worker, say labels."""

from __future__ import annotations

import asyncio
from functools import partial

from runtime import log, metrics
from runtime.answers import Raw, answering
from runtime.bus import Bus
from runtime.errors import Misconfigured
from schemas.capability import Capability
from schemas.classification import Classification
from schemas.fleet import Label
from services.inference.desk import Desk, Overloaded
from services.inference.settings import Settings
from zoo.classifier import Classified, Classifier
from zoo.errors import ZooError

_log = log.get(__name__)


async def main(bus: Bus, settings: Settings, stop: asyncio.Event) -> None:
    """Profile the node, say what it can do, and classify until `stop`."""
    try:
        classifier = await asyncio.to_thread(
            Classifier, settings.models, threads=settings.threads, cpu_share=settings.cpu_share
        )
        profile = await asyncio.to_thread(classifier.profile, repeats=settings.profile_repeats)
    except ZooError as error:
        raise Misconfigured(str(error)) from error
    desk = Desk(workers=settings.workers, limit=settings.queue_limit)
    metrics.QUEUE.labels(settings.node).set_function(lambda: desk.inside)
    try:
        async with answering(bus, "inference", node=settings.node) as answers:
            await answers.serve_raw(
                f"inference.v1.{settings.node}",
                partial(answer, settings.node, classifier, desk),
                name="inference",
            )
            await bus.publish(capability(settings, classifier, profile))
            bus.ready = True
            _log.info("serving", variants=len(profile))
            await stop.wait()
    finally:
        desk.close()


async def answer(node: str, classifier: Classifier, desk: Desk, raw: Raw) -> Classification:
    """Classify one picture, or say why not; count what became of it."""
    said = await _answer(node, classifier, desk, raw)
    metrics.INFERENCES.labels(said.status).inc()
    if said.status == "ok":
        metrics.COMPUTE.labels(said.variant).observe(said.compute_ms / 1000)
    return said


async def _answer(node: str, classifier: Classifier, desk: Desk, raw: Raw) -> Classification:
    variant = raw.headers.get("Variant", "")
    try:
        seen, waited_ms = await desk.work(partial(classifier.classify, raw.body, variant))
    except Overloaded as error:
        return Classification(node=node, status="overloaded", reason=str(error))
    except ZooError as error:
        _log.warning("refused", reason=str(error))
        return Classification(node=node, status="refused", reason=str(error))
    return reply(node, variant, seen, waited_ms)


def reply(node: str, variant: str, seen: Classified, waited_ms: float) -> Classification:
    """Put what was seen into words."""
    return Classification(
        node=node,
        status="ok",
        variant=variant,
        labels=tuple(Label(name=name, probability=p) for name, p in seen.labels),
        queue_ms=waited_ms,
        compute_ms=seen.compute_ms,
        emulated=seen.emulated,
        late=seen.late,
    )


def capability(settings: Settings, classifier: Classifier, profile: dict[str, float]) -> Capability:
    """Say what this node can run, how well and how fast."""
    variants = classifier.manifest.variants
    return Capability(
        node=settings.node,
        tier=settings.tier,
        home=settings.home,
        accuracy_pct={name: variants[name].accuracy_pct for name in profile},
        profile_ms=profile,
        cpu_share=settings.cpu_share,
        workers=settings.workers,
        weights=variants[next(iter(profile))].weights,
    )
