"""Which version of the policy decides: the newest, unless it is refused, on trial, or one is held.

Everything changes between rounds, in `adopt` and `seen`. What must outlive the process is noted
in the store (`tercet.services.orchestrator.decide.state_writer`).
"""

from __future__ import annotations

import asyncio

from tercet.messaging.bus import Bus
from tercet.messaging.parameter_store import ParameterStore, read_versions
from tercet.process import log, metrics
from tercet.process.errors import Gone, TryLater, Unprocessable
from tercet.schemas.experience import Experience
from tercet.schemas.parameters import Parameters
from tercet.schemas.policy import PolicySet
from tercet.schemas.versions import Versions
from tercet.services.orchestrator.decide.operator_commands import OperatorCommands
from tercet.services.orchestrator.decide.policy import Refused
from tercet.services.orchestrator.decide.policy_process import PolicyProcess
from tercet.services.orchestrator.decide.rollback_monitor import RollbackMonitor
from tercet.services.orchestrator.decide.state_writer import StateWriter
from tercet.services.orchestrator.decide.version_cache import KnownVersion, VersionCache

_log = log.get(__name__)

NOTHING = "there is no former good version to return to"


class PolicyVersions:
    """Takes up versions, obeys operators, and goes back."""

    def __init__(self, bus: Bus, store: ParameterStore, policy: PolicyProcess) -> None:
        self._bus, self._store, self._policy = bus, store, policy
        self.heard = asyncio.Event()
        """A new version was announced."""
        self.adopted_round = 0
        """Newest round that the parameters in force have seen."""
        self.pinned: int | None = None
        self.refused, self.rolled_back = 0, 0
        """How often, since the process began."""
        self.purse: tuple[float | None, int] = (None, 0)
        """What exploring may still cost, ms, and rounds that were greedy for want of it."""
        self._news: Parameters | None = None
        self._resets = 0
        self._shelf = VersionCache(store)
        self._trial = RollbackMonitor()
        self._orders = OperatorCommands(bus)
        self.notes = StateWriter(store, self.noted)

    @property
    def held(self) -> bool:
        """Whether newer versions must wait."""
        return self.pinned is not None or self._trial.holds

    @property
    def on_trial(self) -> bool:
        """Whether the last good version shows what it can do; it does not explore meanwhile."""
        return self._trial.begun

    @property
    def newest_round(self) -> int:
        """Newest round that the newest parameters have seen, taken up already or not."""
        return self._news.round if self._news is not None else self.adopted_round

    @property
    def _version(self) -> int:
        """Newest version heard of."""
        if self._news is not None:
            return self._news.version
        present = self._policy.version
        return max(self._shelf.newest_barred, -1 if present is None else present)

    async def on_parameters(self, pointer: Parameters) -> None:
        """There is a newer version, or there may be."""
        self._news = pointer
        self.heard.set()

    async def on_policy(self, _: PolicySet) -> None:
        """An operator said something: it is looked up before the next round."""
        self._orders.ask()

    async def look(self) -> None:
        """Look whether an announcement was missed. Raises TryLater."""
        self._orders.ask()
        pointer = await self._store.pointer("policy")
        if pointer is not None and pointer.version > self._version:
            await self.on_parameters(pointer)

    async def recall(self) -> None:
        """What a former process noted: what was refused stays so, what was pinned decides.

        Else the last good version does, until a newer one is looked at.
        """
        noted = await read_versions(self._bus)
        if noted is None:
            return
        await self._shelf.recall(noted)
        self._orders.obeyed, self._orders.unheeded = noted.obeyed, noted.unheeded
        if (good := self._shelf.get(self._shelf.good)) is not None:
            await self._return(good)
        if noted.pinned is not None and await self.hold(noted.pinned):
            self._orders.obeyed = None  # It was not to be had: tried again, and complained of.

    async def forget(self) -> None:
        """Everything was reset: what comes next is newer than all before."""
        self._resets += 1
        self._news, self.adopted_round, self.pinned, self._orders.unheeded = None, 0, None, ""
        self._shelf.clear()
        self._trial = RollbackMonitor()
        self.notes.owe()
        await self._policy.forget()

    async def adopt(self) -> None:
        """Obey operators, then take up the newest version; to be called between rounds."""
        await self.obey()
        if self.held:
            return
        news, self._news = self._news, None
        if news is None or news.version <= self._version:
            return
        resets = self._resets
        try:
            blob = await self._store.read(news)
            await self._policy.adopt(news.version, blob)
            if self._resets != resets:  # It came from before the reset that came meanwhile.
                await self._policy.forget()
                return
        except TryLater:
            self._news = self._news or news
        except Refused as error:
            self.adopted_round = news.round
            self._refuse(news, str(error))
        except Gone as error:
            _log.info("passed over", reason=str(error))
        except (Unprocessable, ValueError) as error:
            await self._bus.dead_letter(news.subject, news.model_dump_json().encode(), str(error))
        else:
            self._shelf.add(news, blob)
            self._decides(news)

    def _decides(self, pointer: Parameters) -> None:
        self.adopted_round = max(self.adopted_round, pointer.round)
        metrics.VERSION.labels("policy").set(pointer.version)
        self._trim()

    def _trim(self) -> None:
        self._shelf.trim((self._policy.version, self._trial.first, self.pinned))
        self.notes.owe()

    def _refuse(self, pointer: Parameters, why: str) -> None:
        self.refused += 1
        metrics.VERSIONS_REFUSED.labels("policy").inc()
        self._shelf.bar(pointer, refused=why)
        _log.warning("a version is refused", version=pointer.version, reason=why)
        self._trim()

    async def obey(self) -> None:
        """Do what an operator said last, once; to be called between rounds."""
        await self._orders.obey(self, self.notes)

    # What operators want done.

    def release(self) -> None:
        """Pin nothing."""
        self.pinned = None

    async def hold(self, version: int | None) -> str:
        """Pin a version, or the one in force; why it cannot be."""
        wanted = self._policy.version if version is None else version
        if wanted is None:
            return "no version is in force yet"
        found = self._shelf.get(wanted)
        if found is None:
            return self._shelf.why_not(wanted)
        await self._shelf.keep(found)
        await self._return(found)
        self.acquit()  # A trial that is broken off has shown nothing.
        self.pinned, self._trial = wanted, RollbackMonitor()
        self._trim()
        return ""

    async def retreat(self, why: str) -> str:
        """Return to the last good version and refuse the one in force; why it cannot be."""
        if self.pinned is not None:
            return f"version {self.pinned} is pinned"
        present = self._shelf.get(self._policy.version)
        good = self._shelf.before(self._policy.version)
        if present is None or good is None:
            return NOTHING
        await self._return(good)
        self._shelf.good = good.pointer.version
        self._refuse(present.pointer, why)
        self._count_return()
        self._trial = RollbackMonitor(rest=True)
        return ""

    async def _return(self, found: KnownVersion) -> None:
        if self._policy.version != found.pointer.version:
            await self._policy.adopt(found.pointer.version, found.blob, unchecked=True)
        self._decides(found.pointer)

    def _count_return(self) -> None:
        self.rolled_back += 1
        metrics.ROLLED_BACK.labels("policy").inc()

    async def seen(self, experience: Experience) -> None:
        """Look at a learning round: has it become worse, and is a version why?"""
        self.purse = await self._policy.purse()
        self.notes.owe()
        if self.pinned is not None:
            return
        try:
            await self._trial.see(experience, self)
        except TryLater as error:
            _log.warning("a good version is not kept", reason=str(error))

    # What the trial has done.

    async def approve(self, version: int | None) -> None:
        """A version is good: all that followed it did well. Raises TryLater."""
        if (found := self._shelf.get(version)) is not None:
            self._shelf.good = version
            await self._shelf.keep(found)
            self._trim()

    async def try_former(self, better: float) -> bool:
        """Return to the last good version, if it is expected to be faster by a share."""
        present, good = self._shelf.get(self._policy.version), self._shelf.get(self._shelf.good)
        former = None if good is present else good
        costs = None if present is None or former is None else await self._policy.costs(former.blob)
        if present is None or former is None or costs is None or costs[1] > costs[0] * (1 - better):
            _log.info("slower, but no former version would be faster", version=self._policy.version)
            return False
        self._shelf.bar(present.pointer)
        await self._return(former)
        self._count_return()
        _log.warning(
            "response times got worse: back to the last good version",
            version=present.pointer.version,
            good=former.pointer.version,
            expected_ms=costs[0],
            good_ms=costs[1],
        )
        return True

    def condemn(self, why: str) -> None:
        """It was the policy: what was on trial is refused."""
        for known in self._shelf.tried():
            self._refuse(known.pointer, why)

    def acquit(self) -> None:
        """The world has changed: the newest version may decide again."""
        for known in self._shelf.tried():
            self._shelf.acquit(known.pointer.version)
            self._news = self._news or known.pointer
            _log.info("no faster without it: it may decide", version=known.pointer.version)
        self.notes.owe()

    # What is told.

    def noted(self) -> Versions:
        """What is known, for the store."""
        return Versions(
            in_force=self._policy.version,
            good=self._shelf.good,
            pinned=self.pinned,
            obeyed=self._orders.obeyed,
            unheeded=self._orders.unheeded,
            refused=self.refused,
            rolled_back=self.rolled_back,
            regret_left_ms=self.purse[0],
            held_back=self.purse[1],
            versions=self._shelf.rows(),
        )
