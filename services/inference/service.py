"""The inference service: receive pictures, classify them in workers, reply with labels."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial

from tercet.messaging.bus import Bus
from tercet.messaging.responder import RawRequest, responding
from tercet.models.answer_fields import answer_fields
from tercet.models.classifier import ClassifiedPicture, Classifier
from tercet.models.errors import AssetError, InputError, ModelError
from tercet.process import log, metrics
from tercet.process.errors import Misconfigured, TryLater
from tercet.process.waiting import within
from tercet.schemas.capability import Capability
from tercet.schemas.classification import Classification
from tercet.services.inference.inference_queue import InferenceQueue, Overloaded
from tercet.services.inference.offer import Offer
from tercet.services.inference.settings import InferenceSettings

FOLLOW_S = 1.0
"""Seconds between two looks whether the models have changed."""
MIN_BATCH_SPEEDUP = 1.1
"""Batches are used where they are at least this much faster than single pictures."""

MAX_TENSOR_BYTES = 512 * 1024
"""Of an answer, so that in base64 it is within a broker's default limit of 1 MB."""

_log = log.get(__name__)

PictureQueue = InferenceQueue[bytes, ClassifiedPicture]


async def main(bus: Bus, settings: InferenceSettings, stop: asyncio.Event) -> None:
    """Profile the node, publish its capability, and classify until `stop`."""
    try:
        classifier = await asyncio.to_thread(
            Classifier,
            settings.models,
            families=settings.families,
            threads=settings.threads,
            cpu_share=settings.cpu_share,
            memory_mb=settings.memory_mb,
        )
        offer = await asyncio.to_thread(Offer, settings, classifier)
        batch = await asyncio.to_thread(useful_batch, settings, classifier)
    except AssetError as error:
        raise Misconfigured(str(error)) from error
    queue: PictureQueue = InferenceQueue(
        partial(run, classifier),
        workers=settings.workers,
        limit=settings.queue_limit,
        max_wait=settings.queue_patience,
        batch=batch,
    )
    metrics.QUEUE.labels(settings.node).set_function(lambda: queue.in_progress)
    try:
        async with responding(bus, "inference", node=settings.node) as responder:
            handle = partial(answer, settings.node, queue, was_removed=classifier.was_removed)
            await responder.serve_raw(f"inference.v1.{settings.node}", handle, name="inference")
            await bus.publish(offer.capability())
            bus.ready = True
            count = len(offer.profile_ms)
            _log.info("serving", variants=count, batch=batch, loaded=classifier.loaded)
            await announce_changes(bus, offer, settings.announce, stop)
    finally:
        queue.close()


async def announce_changes(bus: Bus, offer: Offer, period: float, stop: asyncio.Event) -> None:
    """Follow the models, and announce the capability when it changes or is old, until `stop`."""
    loop = asyncio.get_running_loop()
    announced = loop.time()
    while not await within(stop, min(FOLLOW_S, period)):
        changed = await asyncio.to_thread(offer.refresh)
        if changed or loop.time() - announced >= period:
            announced = loop.time()
            await announce(bus, offer.capability())


async def announce(bus: Bus, message: Capability) -> None:
    """Publish the capability again: a node that was disconnected may have been dropped."""
    try:
        await bus.publish(message)
    except TryLater as error:
        _log.warning("capability not published", reason=str(error))


def useful_batch(settings: InferenceSettings, classifier: Classifier) -> int:
    """Pictures per run: more than one only where a measurement shows a speedup. Blocking.

    A device has one picture at a time, so it is not measured. Elsewhere the largest model is
    measured: it gains least.
    """
    size, entries = settings.batch, classifier.library.variants
    if settings.tier == "device" or size == 1:
        return 1
    batching = [name for name in entries if classifier.can_batch(name)]
    if not batching:
        return 1
    speedup = classifier.batch_speedup(max(batching, key=lambda n: entries[n].bytes), size)
    useful = speedup >= MIN_BATCH_SPEEDUP
    _log.info("batch speedup measured", size=size, gain=round(speedup, 3), used=useful)
    return size if useful else 1


def run(
    classifier: Classifier, variant: str, jpegs: Sequence[bytes]
) -> Sequence[ClassifiedPicture | Exception]:
    """Classify in a worker thread: a single picture, or several in one run."""
    if len(jpegs) > 1 and classifier.can_batch(variant):
        return classifier.classify_all(jpegs, variant)
    found: list[ClassifiedPicture | Exception] = []
    for jpeg in jpegs:
        try:
            found.append(classifier.classify(jpeg, variant))
        except InputError as error:
            found.append(error)
    return found


def never(_variant: str) -> bool:
    """No variant was removed."""
    return False


async def answer(
    node: str,
    queue: PictureQueue,
    raw: RawRequest,
    was_removed: Callable[[str], bool] = never,
) -> Classification:
    """Classify one picture or give the reason why not, and count the status."""
    reply = await _answer(node, queue, raw, was_removed)
    metrics.INFERENCES.labels(reply.status).inc()
    if reply.status == "ok":
        metrics.COMPUTE.labels(reply.variant).observe(reply.compute_ms / 1000)
    return reply


async def _answer(
    node: str, queue: PictureQueue, raw: RawRequest, was_removed: Callable[[str], bool]
) -> Classification:
    variant = raw.headers.get("Variant", "")
    try:
        classified, waited_ms = await queue.run(variant, raw.body)
    except Overloaded as error:
        return Classification(node=node, status="overloaded", reason=str(error))
    except ModelError as error:
        if was_removed(variant):  # The decision is older than the change of models.
            return Classification(node=node, status="overloaded", reason=str(error))
        return Classification(node=node, status="refused", reason=str(error))
    except AssetError as error:
        _log.warning("picture refused", reason=str(error))
        return Classification(node=node, status="refused", reason=str(error))
    return classification(node, variant, classified, waited_ms)


def classification(
    node: str, variant: str, classified: ClassifiedPicture, waited_ms: float
) -> Classification:
    """The reply to a classified picture."""
    size = sum(array.nbytes for _, array in classified.tensors)
    if size > MAX_TENSOR_BYTES:
        reason = f"the answer has {size} bytes of tensors, more than {MAX_TENSOR_BYTES}"
        return Classification(node=node, status="refused", reason=reason)
    return Classification.model_validate(  # With its labels in one call: this is on the way.
        {
            "node": node,
            "status": "ok",
            "variant": variant,
            "queue_ms": waited_ms,
            **answer_fields(classified),
        }
    )
