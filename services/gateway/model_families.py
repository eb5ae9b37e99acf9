"""The model families of one gateway, with what is known of them on its device."""

from __future__ import annotations

import asyncio

from tercet.messaging.bus import Bus
from tercet.models import families, manifest, model_library
from tercet.models.errors import ModelError
from tercet.models.manifest import Manifest
from tercet.process import log
from tercet.process.waiting import within
from tercet.services.gateway.http.families import Family
from tercet.services.gateway.local_fallback import LocalFallback
from tercet.services.gateway.settings import GatewaySettings

FOLLOW_S = 1.0
"""Seconds between two looks whether the models have changed."""

_log = log.get(__name__)


class ModelFamilies:
    """Called, it gives the families as they are now."""

    def __init__(self, bus: Bus, settings: GatewaySettings, fallback: LocalFallback) -> None:
        """Read the models directory for labels, and for accuracies until they are reported.

        Without one, labels have no index. Blocking.
        """
        self._bus, self._settings, self._fallback = bus, settings, fallback
        self._root = settings.models or manifest.default_directory()
        self._manifests: tuple[tuple[Manifest, tuple[str, ...]], ...] = ()
        """Each with its labels."""
        self._signature: model_library.Signature | None = None
        self.refresh()

    def __call__(self) -> tuple[Family, ...]:
        """A family is ready once the own node has reported its capability, or where no broker
        answers, as this process then runs the models itself.
        """
        own = tuple(self._fallback.profile_ms)
        if not self._manifests:
            name = self._settings.family or manifest.PAPER_FAMILY
            return (Family(name, own, ready=bool(own)),)
        return tuple(self._family(one, labels, own) for one, labels in self._manifests)

    def _family(self, one: Manifest, labels: tuple[str, ...], own: tuple[str, ...]) -> Family:
        single = len(self._manifests) == 1
        name = self._settings.family or one.name if single else one.name
        reported = self._fallback.families.get(one.name, own if single else ())
        variants = (*reported, *(v for v in one.variants if v not in reported))
        ready = bool(variants) and bool(own or self._bus.disconnected)
        tensors = next((entry.tensors for entry in one.variants.values()), None)
        return Family(name, variants, labels, ready, one.task, tensors)

    def refresh(self) -> None:
        """Read the manifests again if they have changed; keep the former on errors. Blocking."""
        signature = model_library.signature(self._root)
        if signature == self._signature:
            return
        self._signature = signature
        try:
            found = families.chosen(self._root, self._settings.families)
            named = [(one, one.labels(next(iter(one.variants)))) for one in found if one.variants]
        except ModelError as error:
            _log.warning("labels have no index", reason=str(error))
            return
        self._manifests = tuple(named)
        entries = {name: entry for one in found for name, entry in one.variants.items()}
        if not self._fallback.profile_ms:  # Until the own node reports; it may be gone.
            self._fallback.accuracy_pct = {n: e.accuracy_pct for n, e in entries.items()}
            self._fallback.families = {one.name: tuple(one.variants) for one in found}

    async def follow(self, stop: asyncio.Event) -> None:
        """Read them whenever they change, until `stop`."""
        while not await within(stop, FOLLOW_S):
            await asyncio.to_thread(self.refresh)
