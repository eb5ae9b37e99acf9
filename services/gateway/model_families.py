"""The model families of one gateway, with what is known of them on its device."""

from __future__ import annotations

from pathlib import Path

from tercet.models import manifest
from tercet.models.errors import ModelError
from tercet.process import log
from tercet.services.gateway.http.families import Families, Family
from tercet.services.gateway.local_fallback import LocalFallback

_log = log.get(__name__)


def offered_families(name: str, models: Path | None, fallback: LocalFallback) -> Families:
    """The one family of this gateway, ready once the own node has reported its capability.

    Reads the model directory for its labels; without one, labels have no index. Blocking.
    """
    labels: tuple[str, ...] = ()
    variants: tuple[str, ...] = ()
    try:
        known = manifest.read(models or manifest.default_directory())
        variants = tuple(known.variants)
        labels = known.labels(variants[0]) if variants else ()
    except ModelError as error:
        _log.warning("labels have no index", reason=str(error))

    def families() -> tuple[Family, ...]:
        own = tuple(fallback.profile_ms)
        return (Family(name, own or variants, labels, ready=bool(own)),)

    return families
