"""The shell: hear pictures, think in a worker, say labels."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial

from tercet.messaging.bus import Bus
from tercet.messaging.responder import RawRequest, responding
from tercet.models.classifier import ClassifiedPicture, Classifier
from tercet.models.errors import AssetError, ImageError
from tercet.process import log, metrics
from tercet.process.errors import Misconfigured, TryLater
from tercet.process.waiting import within
from tercet.schemas.capability import Capability
from tercet.schemas.classification import Classification
from tercet.schemas.fleet import Label
from tercet.services.inference.inference_queue import InferenceQueue, Overloaded
from tercet.services.inference.settings import InferenceSettings

SHARED = "d0"
"""What edge and cloud run for everyone, so that pictures may wait there together."""
WORTH_IT = 1.1
"""Batches are used where they are so many times as fast as one picture after the other."""

_log = log.get(__name__)

Pictures = InferenceQueue[bytes, ClassifiedPicture]


async def main(bus: Bus, settings: InferenceSettings, stop: asyncio.Event) -> None:
    """Profile the node, say what it can do, and classify until `stop`."""
    try:
        classifier = await asyncio.to_thread(
            Classifier,
            settings.models,
            threads=settings.threads,
            cpu_share=settings.cpu_share,
            memory_mb=settings.memory_mb,
        )
        profile = await asyncio.to_thread(classifier.profile, repeats=settings.profile_repeats)
        batch = await asyncio.to_thread(useful_batch, settings, classifier)
    except AssetError as error:
        raise Misconfigured(str(error)) from error
    desk: Pictures = InferenceQueue(
        partial(run, classifier),
        workers=settings.workers,
        limit=settings.queue_limit,
        patience=settings.queue_patience,
        batch=batch,
    )
    metrics.QUEUE.labels(settings.node).set_function(lambda: desk.inside)
    try:
        async with responding(bus, "inference", node=settings.node) as answers:
            await answers.serve_raw(
                f"inference.v1.{settings.node}", partial(answer, settings.node, desk),
                name="inference",
            )  # fmt: skip
            await bus.publish(capability(settings, classifier, profile))
            bus.ready = True
            _log.info("serving", variants=len(profile), batch=batch, loaded=classifier.loaded)
            while not await within(stop, settings.announce):
                await announce(bus, capability(settings, classifier, profile))
    finally:
        desk.close()


async def announce(bus: Bus, message: Capability) -> None:
    """Say it again: whoever was away for long may have been forgotten meanwhile."""
    try:
        await bus.publish(message)
    except TryLater as error:
        _log.warning("not announced", reason=str(error))


def useful_batch(settings: InferenceSettings, classifier: Classifier) -> int:
    """How many waiting pictures go into one run: more than one only where it was measured to help.

    Devices serve themselves, one picture at a time, and are not asked. Blocking.
    """
    size = settings.batch
    if settings.tier == "device" or size == 1 or SHARED not in classifier.variants:
        return 1
    if not classifier.can_batch(SHARED):
        return 1
    gain = classifier.batch_speedup(SHARED, size)
    _log.info("batches measured", size=size, gain=round(gain, 3), used=gain >= WORTH_IT)
    return size if gain >= WORTH_IT else 1


def run(
    classifier: Classifier, variant: str, jpegs: Sequence[bytes]
) -> Sequence[ClassifiedPicture | Exception]:
    """In a worker: one picture as ever, several by one run."""
    if len(jpegs) > 1 and classifier.can_batch(variant):
        return classifier.classify_all(jpegs, variant)
    found: list[ClassifiedPicture | Exception] = []
    for jpeg in jpegs:
        try:
            found.append(classifier.classify(jpeg, variant))
        except ImageError as error:
            found.append(error)
    return found


async def answer(node: str, desk: Pictures, raw: RawRequest) -> Classification:
    """Classify one picture, or say why not; count what became of it."""
    said = await _answer(node, desk, raw)
    metrics.INFERENCES.labels(said.status).inc()
    if said.status == "ok":
        metrics.COMPUTE.labels(said.variant).observe(said.compute_ms / 1000)
    return said


async def _answer(node: str, desk: Pictures, raw: RawRequest) -> Classification:
    variant = raw.headers.get("Variant", "")
    try:
        seen, waited_ms = await desk.work(variant, raw.body)
    except Overloaded as error:
        return Classification(node=node, status="overloaded", reason=str(error))
    except AssetError as error:
        _log.warning("refused", reason=str(error))
        return Classification(node=node, status="refused", reason=str(error))
    return reply(node, variant, seen, waited_ms)


def reply(node: str, variant: str, seen: ClassifiedPicture, waited_ms: float) -> Classification:
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


def capability(
    settings: InferenceSettings, classifier: Classifier, profile: dict[str, float]
) -> Capability:
    """Say what this node can run, how well and how fast."""
    variants = classifier.manifest.variants
    return Capability(
        node=settings.node,
        tier=settings.tier,
        home=settings.home,
        accuracy_pct={name: variants[name].accuracy_pct for name in profile},
        measured=tuple(name for name in profile if variants[name].measured is not None),
        profile_ms=profile,
        cpu_share=settings.cpu_share,
        workers=settings.workers,
        weights=variants[next(iter(profile))].weights,
    )
