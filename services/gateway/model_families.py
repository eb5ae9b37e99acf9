"""The model families of one gateway, with what is known of them on its device."""

from __future__ import annotations

from tercet.messaging.bus import Bus
from tercet.models import manifest
from tercet.models.errors import ModelError
from tercet.process import log
from tercet.services.gateway.http.families import Families, Family
from tercet.services.gateway.local_fallback import LocalFallback
from tercet.services.gateway.settings import GatewaySettings

_log = log.get(__name__)


def offered_families(bus: Bus, settings: GatewaySettings, fallback: LocalFallback) -> Families:
    """The one family of this gateway, ready once the own node has reported its capability, or
    where no broker answers, as this process then runs the models itself.

    Reads the model directory for its labels, and the accuracies until they are reported; without
    one, labels have no index. Blocking.
    """
    labels: tuple[str, ...] = ()
    variants: tuple[str, ...] = ()
    task, tensors = "classification", None
    try:
        known = manifest.read(settings.models or manifest.default_directory())
        variants, task = tuple(known.variants), known.task
        fallback.accuracy_pct = {name: v.accuracy_pct for name, v in known.variants.items()}
        labels = known.labels(variants[0]) if variants else ()
        tensors = known.entry(variants[0]).tensors if variants else None
    except ModelError as error:
        _log.warning("labels have no index", reason=str(error))

    def families() -> tuple[Family, ...]:
        own = tuple(fallback.profile_ms)
        ready = bool(own or (variants and bus.disconnected))
        return (Family(settings.family, own or variants, labels, ready, task, tensors),)

    return families
