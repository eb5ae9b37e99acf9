"""The versions of the policy: carries out the actions of the transitions, stores the state."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

from tercet.messaging.bus import Bus
from tercet.messaging.operator_settings import ControlReader
from tercet.messaging.parameter_store import ParameterStore, read_versions
from tercet.process import log, metrics
from tercet.process.errors import Gone, TryLater, Unprocessable
from tercet.process.waiting import within
from tercet.schemas.experience_v2 import Experience
from tercet.schemas.parameters import Parameters
from tercet.schemas.policy import PolicySet
from tercet.schemas.versions import Version
from tercet.services.orchestrator.decide import version_transitions
from tercet.services.orchestrator.decide.policy_interface import Rejected
from tercet.services.orchestrator.decide.policy_process import PolicyProcess
from tercet.services.orchestrator.decide.version_state import (
    KnownVersion,
    VersionState,
    pointer_of,
)
from tercet.services.orchestrator.decide.version_transitions import Action, Step

WRITE_PERIOD_S = 1.0
"""Seconds between two writes of the state, at least."""

_log = log.get(__name__)

Transition = Callable[[VersionState], Step]


class PolicyVersions:
    """Owns the state. Versions change between rounds only, one event after the other."""

    def __init__(self, bus: Bus, store: ParameterStore, policy: PolicyProcess) -> None:
        self._bus, self._store, self._policy = bus, store, policy
        self._control = ControlReader(bus)
        self.state = VersionState()
        self.announced = asyncio.Event()
        """Set when a new version was announced."""
        self.exploration_budget: tuple[float | None, int] = (None, 0)
        """As `DecisionPolicy.exploration_budget`, after the last round."""
        self._lock = asyncio.Lock()
        self._command_due = True
        self._write_due = False

    async def on_parameters(self, pointer: Parameters) -> None:
        """A version was announced."""
        await self._apply(partial(version_transitions.announced, pointer=pointer))
        self.announced.set()

    async def on_policy(self, _: PolicySet) -> None:
        """A command was announced: it is read before the next round."""
        self._command_due = True

    async def reset(self) -> None:
        """Forget all versions."""
        await self._apply(version_transitions.was_reset)

    async def refresh(self) -> None:
        """Read what may have been announced while the broker was unreachable. Raises TryLater."""
        self._command_due = True
        pointer = await self._store.pointer("policy")
        candidate, newest = self.state.candidate, self.state.newest_decided
        if pointer is not None and pointer.version > (candidate.version if candidate else newest):
            await self.on_parameters(pointer)

    async def recall(self) -> None:
        """Restore what a former process stored."""
        stored = await read_versions(self._bus)
        if stored is None:
            return
        known = [KnownVersion.of(row, await self._kept_blob(row)) for row in stored.versions]
        await self._apply(partial(version_transitions.recalled, stored=stored, known=tuple(known)))

    async def adopt(self) -> None:
        """Apply the operator's last command, then adopt the newest version if it may decide."""
        await self.apply_command()
        try:
            await self._apply(version_transitions.round_opens)
        except TryLater as error:
            _log.warning("version not adopted yet", reason=str(error))

    async def apply_command(self) -> None:
        """Apply the operator's last command; what fails for now is tried again."""
        if not self._command_due:
            return
        try:
            command = await self._control.policy()
            self._command_due = False
            if command is not None and command.id != self.state.command:
                await self._apply(partial(version_transitions.commanded, command=command))
                facts = {"action": command.action, "version": command.version, "by": command.by}
                _log.info("operator command handled", **facts, pending=self.state.pending_reason)
                await self._write()
        except TryLater as error:
            self._command_due = True
            _log.warning("operator command is pending", reason=str(error))

    async def round_closed(self, experience: Experience) -> None:
        """Enter a learning round, which may show that the version in force is worse."""
        self.exploration_budget = await self._policy.exploration_budget()
        self._write_due = True
        try:
            await self._apply(partial(version_transitions.round_closed, experience=experience))
        except TryLater as error:
            _log.warning("good version not kept yet", reason=str(error))

    async def write_changes(self, stop: asyncio.Event) -> None:
        """Store the state when it has changed, until `stop` and a last time then."""
        stopping = False
        while not stopping:
            stopping = await within(stop, WRITE_PERIOD_S)
            try:
                if self._write_due:
                    await self._write()
            except TryLater as error:
                _log.warning("versions not stored yet", reason=str(error))

    async def _write(self) -> None:
        self._write_due = False
        try:
            await self._store.record(self.state.stored(self.exploration_budget))
        except TryLater:
            self._write_due = True
            raise

    async def _apply(self, transition: Transition) -> None:
        """Carry out the actions of an event, put its state in force, and enter their results."""
        async with self._lock:
            due = [transition]
            while due:
                state, actions = due.pop(0)(self.state)
                results = [await self._carry_out(action) for action in actions]
                self._put_in_force(state)
                due += [result for result in results if result is not None]

    def _put_in_force(self, state: VersionState) -> None:
        before, self.state = self.state, state
        self._write_due |= state is not before
        if state.in_force is not None:
            metrics.VERSION.labels("policy").set(state.in_force)
        if count := state.rejections - before.rejections:
            metrics.VERSIONS_REFUSED.labels("policy").inc(count)
            for version, known in state.versions.items():
                if known.rejected and before.versions.get(version) != known:
                    _log.warning("version rejected", version=version, reason=known.rejected)
        if count := state.rollbacks - before.rollbacks:
            metrics.ROLLED_BACK.labels("policy").inc(count)
            _log.warning("rolled back", version=before.in_force, good=state.in_force)

    async def _carry_out(self, action: Action) -> Transition | None:
        """Do one thing; return the event that follows from it. Raises TryLater."""
        match action:
            case version_transitions.Adopt(pointer):
                return await self._adopt(pointer)
            case version_transitions.ReturnTo(KnownVersion(version=version, blob=bytes(blob))):
                await self._return_to(version, blob)
            case version_transitions.KeepBlob(KnownVersion(version=version, blob=bytes(blob))):
                key = await self._store.keep(blob)
                return partial(version_transitions.blob_kept, version=version, key=key)
            case version_transitions.CompareCosts(KnownVersion(blob=bytes(blob)) as known):
                costs = await self._policy.costs(blob)
                facts = {"version": self.state.in_force, "former": known.version, "ms": costs}
                _log.warning("response times got worse: versions compared", **facts)
                return partial(version_transitions.compared, former=known, costs=costs)
            case version_transitions.ForgetParameters():
                await self._policy.forget()
        return None

    async def _return_to(self, version: int, blob: bytes) -> None:
        """Without parameters when the kept ones are of another format, as after an upgrade."""
        try:
            await self._policy.adopt(version, blob, unchecked=True)
        except ValueError as error:
            _log.warning("kept version does not fit", version=version, reason=str(error))
            await self._policy.forget()

    async def _adopt(self, pointer: Parameters) -> Transition | None:
        try:
            blob = await self._store.read(pointer)
            await self._policy.adopt(pointer.version, blob)
        except Rejected as error:
            return partial(
                version_transitions.failed_validation, pointer=pointer, reason=str(error)
            )
        except Gone as error:
            _log.info("version no longer stored", reason=str(error))
        except (Unprocessable, ValueError) as error:
            body = pointer.model_dump_json().encode()
            await self._bus.dead_letter(pointer.subject, body, str(error))
        else:
            return partial(version_transitions.adopted, known=KnownVersion(pointer, blob))
        return None

    async def _kept_blob(self, row: Version) -> bytes | None:
        """The blob of a version that was kept aside; None without, or if it cannot be read."""
        if not row.kept:
            return None
        try:
            return await self._store.read(pointer_of(row))
        except (Unprocessable, TryLater) as error:
            _log.warning("kept version cannot be read", version=row.version, reason=str(error))
            return None
