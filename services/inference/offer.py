"""What a node offers: the variants of its families, profiled; it follows changes of the models."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Collection, Sequence
from typing import get_args

from tercet.models.classifier import Classifier
from tercet.models.errors import ModelError
from tercet.models.manifest import Manifest
from tercet.process import log
from tercet.schemas.capability import Capability
from tercet.schemas.fleet import FamilyOffer, Tier
from tercet.services.inference.settings import InferenceSettings

RETIRED_S = 60.0
"""Seconds for which a removed model that is loaded still answers: decisions may name it."""

_log = log.get(__name__)


class Offer:
    """The profile of the variants on offer; methods that say so are blocking."""

    def __init__(self, settings: InferenceSettings, classifier: Classifier) -> None:
        """Profile all variants that the settings do not leave out. Blocking; `ModelError`."""
        self._settings, self._classifier = settings, classifier
        self._changed_at: float | None = None
        self._reason = ""
        self.profile_ms = classifier.profile(self._names(), settings.profile_repeats)

    def refresh(self) -> bool:
        """Follow the models directory; whether the offer has changed. Blocking.

        Models that are not the same any more are loaded when a picture needs them; only new ones
        are profiled. What cannot be used is logged once, and the former models stay.
        """
        try:
            fresh = self._classifier.reload()
        except ModelError as error:
            if str(error) != self._reason:
                _log.error("changed models not taken up", reason=str(error))
            self._reason = str(error)
            return False
        self._reason = ""
        now = time.monotonic()
        if fresh is None:
            if self._changed_at is not None and now - self._changed_at > RETIRED_S:
                self._changed_at = None
                self._classifier.drop_removed()
            return False
        self._changed_at = now
        try:
            self._profile_again(fresh)
        except ModelError as error:
            _log.error("new model not offered", reason=str(error))
        return True

    def _profile_again(self, fresh: Sequence[str]) -> None:
        names = self._names()
        self.profile_ms = {n: ms for n, ms in self.profile_ms.items() if n in names}
        new = [name for name in names if name in fresh or name not in self.profile_ms]
        for name in new:
            found = self._classifier.profile([name], self._settings.profile_repeats)
            self.profile_ms = self.profile_ms | found
        _log.info("models changed", variants=names, profiled=new)

    def _names(self) -> tuple[str, ...]:
        wanted = self._settings.variants
        if wanted is None:
            return self._classifier.variants
        for name in wanted:
            self._classifier.library.entry(name)  # Raises for one that is not there.
        return wanted

    def capability(self) -> Capability:
        """The message that says it."""
        settings, profile, library = self._settings, self.profile_ms, self._classifier.library
        entries = {n: e for n, e in library.variants.items() if n in profile}
        return Capability(
            node=settings.node,
            tier=settings.tier,
            home=settings.home,
            accuracy_pct={name: entry.accuracy_pct for name, entry in entries.items()},
            measured=tuple(n for n, entry in entries.items() if entry.measured is not None),
            profile_ms={name: ms for name, ms in profile.items() if name in entries},
            cpu_share=settings.cpu_share,
            workers=settings.workers,
            weights=next(iter(entries.values())).weights if entries else "",
            families={one.name: family_offer(one, entries) for one in library.families},
            allowed=limited(settings),
        )


def family_offer(family: Manifest, offered: Collection[str]) -> FamilyOffer:
    """What a node announces of one family."""
    variants = tuple(name for name in family.variants if name in offered)
    first = next(iter(family.variants))
    goal, metrics = family.default_goal, {e.metric for e in family.variants.values()}
    return FamilyOffer(
        task=family.task,
        variants=variants,
        goal=goal if isinstance(goal, str) else f"{goal:g}",
        metric=metrics.pop() if len(metrics) == 1 else None,
        labels=hashlib.sha256("\n".join(family.labels(first)).encode()).hexdigest()[:16],
    )


def limited(settings: InferenceSettings) -> tuple[Tier, ...] | None:
    """The tiers that a device's pictures may reach; None: all."""
    every = settings.tier != "device" or set(settings.allowed) == set(get_args(Tier))
    return None if every else settings.allowed
