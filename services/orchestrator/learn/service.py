"""The training role: receive experience, update the policy in a thread, publish its parameters.

A message of the durable on real experience only signals that there is something new. What is new
is then read from the stream, in its order. So all waiting rounds share one update, and a restart,
which reads the same stream, reaches the same state.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from tercet.experience.history import History
from tercet.experience.reporting import PERIOD, Rates, report
from tercet.messaging.bus import Bus
from tercet.messaging.durable import consume
from tercet.messaging.parameter_store import VALUES, ParameterStore
from tercet.process import log, metrics
from tercet.process.errors import Gone, TryLater, Unprocessable
from tercet.process.extras import require
from tercet.process.waiting import within
from tercet.schemas.experience_v2 import Experience
from tercet.schemas.learning import Learning
from tercet.schemas.parameters import Parameters
from tercet.schemas.plan import Plan
from tercet.schemas.planned import Planned
from tercet.schemas.reset import Reset
from tercet.services.orchestrator.learn.policy_trainer import TRANSITIONS, PolicyTrainer
from tercet.services.orchestrator.settings import OrchestratorSettings

HISTORY = 5000
"""Real experiences read back at start."""
PAUSE_S = 0.02
"""Pause after an update, so that the planned batches of one round share one."""
POLL_S = 0.5
"""How often the end of the service is noticed while nothing arrives."""
PLANNED_WAITING = 1000
"""Planned batches that may wait for an update; the oldest are dropped, newer plans are better."""

T = TypeVar("T")

_log = log.get(__name__)


class _ResetMeanwhileError(Exception):
    """There was a reset during an update, so the update must not be published."""


async def learn(bus: Bus, settings: OrchestratorSettings, stop: asyncio.Event) -> None:
    """Train the policy on the two experience subjects until `stop`."""
    training = PolicyTraining(bus, settings, await ParameterStore.open(bus))
    await bus.subscribe(Reset, training.on_reset)
    await bus.subscribe(Parameters, training.on_parameters)
    bus.ready = True
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(
            consume(bus, Experience, training.on_real, durable="learner-real", stop=stop)
        )
        tasks.create_task(
            consume(bus, Planned, training.on_planned, durable="learner-planned", stop=stop)
        )
        tasks.create_task(training.run(stop))
        tasks.create_task(report(bus, training.status, stop))


class PolicyTraining:
    """Connects the trainer to the bus: one update for all that arrived since the last."""

    def __init__(self, bus: Bus, settings: OrchestratorSettings, store: ParameterStore) -> None:
        self._bus, self._settings, self._store = bus, settings, store
        self._trainer = trainer_of(settings)
        self._history = History(bus, HISTORY)
        self._planned: list[Planned] = []
        self._seen = 0
        """Stream sequence of the newest experience that was read."""
        self._unpublished = False
        """Whether something was taken in that is not in the published parameters."""
        self._values_due = True
        """Whether planners may have published newer values of states."""
        self._values: int | None = None
        """Version of those that the trainer has, or that were refused."""
        self._fresh = asyncio.Event()
        self._fresh.set()  # The stream may hold experience from before the start.
        self._rates = Rates()
        self._version: int | None = None
        self._greedy_ms: float | None = None
        self._evaluated_at = 0.0

    async def on_real(self, _: Experience) -> None:
        """A round was measured; it will be read from the stream."""
        self._fresh.set()

    async def on_planned(self, batch: Planned) -> None:
        """Queue a planned batch for the next update."""
        self._planned = [*self._planned[1 - PLANNED_WAITING :], batch]
        self._fresh.set()

    async def on_parameters(self, message: Parameters) -> None:
        """Note new values, or a member's newest version: what it planned long before is stale."""
        if message.owner == VALUES:
            self._values_due = True
            self._fresh.set()
        kind, _, member = message.owner.partition("-")
        if kind == "member" and member.isdigit():
            self._trainer.newest(int(member), message.version)

    async def on_reset(self, _: Reset) -> None:
        """Start again; an update in progress ends without a publication."""
        self._trainer = trainer_of(self._settings)
        self._planned, self._seen, self._unpublished = [], 0, False
        self._version = self._values = self._greedy_ms = None
        self._history.clear()
        self._fresh.set()

    def status(self) -> list[Learning]:
        """The periodic report."""
        trainer, latest = self._trainer, self._trainer.latest
        now = asyncio.get_running_loop().time()
        real, planned = self._rates.update(now, (trainer.observed, trainer.plans))
        executed, greedy = latest.average_ms if latest else None, self._greedy_ms
        return [
            Learning(
                owner="policy",
                role="learner",
                round=trainer.round,
                version=self._version,
                real=trainer.learned,
                planned=trainer.plans,
                dropped=trainer.stale,
                real_per_s=real,
                planned_per_s=planned,
                alpha=trainer.alpha,
                buffers=trainer.buffers,
                error=trainer.prediction_error.error,
                greedy_ms=greedy,
                executed_ms=executed,
                gap=executed / greedy - 1 if executed is not None and greedy else None,
            )
        ]

    async def run(self, stop: asyncio.Event) -> None:
        """Update and publish whenever there is something new, until `stop`."""
        while not stop.is_set():
            if not await within(self._fresh, POLL_S):
                continue
            self._fresh.clear()
            try:
                await self._update()
            except TryLater as error:
                _log.warning("update postponed", reason=str(error))
                self._fresh.set()
                await within(stop, error.delay)
            except _ResetMeanwhileError:
                _log.info("update discarded after a reset")
            except Exception:  # Raised, it would be raised again after every restart.
                _log.exception("update failed")
            await within(stop, PAUSE_S)

    async def _update(self) -> None:
        """Take in all that is new, update once, publish, and request plans from the newest round.

        What was taken in but could not be published is published by a later update.
        """
        trainer, before = self._trainer, self._trainer.observed
        async for entries in self._history.since(self._seen):
            taken = await self._in_thread(trainer, partial(trainer.take_in, entries, ()))
            self._unpublished |= taken
            self._seen = entries[-1][0]
        planned, self._planned = self._planned, []
        self._unpublished |= await self._in_thread(trainer, partial(trainer.take_in, (), planned))
        if self._values_due:
            self._unpublished |= await self._take_values(trainer)
        if self._unpublished:
            with metrics.UPDATE.labels("policy").time():
                blob = await self._in_thread(trainer, trainer.update)
            if blob is not None:
                await self._publish(trainer, blob)
            self._unpublished = False
            await self._evaluate_greedy(trainer)
        if trainer.latest is not None and trainer.plan_due(before):
            await self._bus.publish(plan_after(trainer.latest, trainer.transitions))
            self._values_due = True  # An announcement may have been missed.

    async def _take_values(self, trainer: PolicyTrainer) -> bool:
        """Read the newest values of states; whether they change the policy. Raises TryLater."""
        pointer = await self._store.pointer(VALUES)
        self._values_due = False
        if pointer is None or pointer.version == self._values:
            return False
        try:
            blob = await self._store.read(pointer)
            changed = await self._in_thread(trainer, partial(trainer.load_values, blob))
        except Gone:
            return False  # Newer ones have been announced.
        except (Unprocessable, ValueError) as error:
            body = pointer.model_dump_json().encode()
            await self._bus.dead_letter(pointer.subject, body, str(error))
            changed = False
        self._values = pointer.version
        return changed

    async def _in_thread(self, trainer: PolicyTrainer, work: Callable[[], T]) -> T:
        """Run blocking work; raises _ResetMeanwhileError when there was a reset meanwhile."""
        result = await asyncio.to_thread(work)
        if trainer is not self._trainer:
            raise _ResetMeanwhileError
        return result

    async def _evaluate_greedy(self, trainer: PolicyTrainer) -> None:
        """Compute the expected average of the greedy assignment, at most once per report."""
        now = asyncio.get_running_loop().time()
        if now - self._evaluated_at > PERIOD:
            self._evaluated_at = now
            self._greedy_ms = await asyncio.to_thread(trainer.greedy_ms)

    async def _publish(self, trainer: PolicyTrainer, blob: bytes) -> None:
        pointer = await self._store.publish(
            "policy",
            blob,
            seen=self._seen,
            learned=trainer.learned,
            newest_round=trainer.round,
            ids=str(trainer.digest),
            since=trainer.since,
        )
        self._version = pointer.version
        metrics.VERSION.labels("policy").set(pointer.version)
        metrics.EXPERIENCES_IN_EFFECT.labels("policy").set(trainer.learned)


def trainer_of(settings: OrchestratorSettings) -> PolicyTrainer:
    """The trainer of the agent that `settings` names; raises Misconfigured without its extra."""
    if settings.policy == "hybrid-paper":
        require("torch", extra="paper")
        from tercet.services.orchestrator.learn.paper_trainer import PaperTrainer

        return PaperTrainer(settings.seed, max_plan_age=settings.max_plan_age)
    from tercet.services.orchestrator.learn.trainer import Trainer

    return Trainer(settings.max_plan_age)


def plan_after(experience: Experience, transitions: int = TRANSITIONS) -> Plan:
    """A planning job that starts from the state in which a round ended."""
    return Plan.caused_by(
        experience,
        goal=experience.goal,
        fleet=experience.fleet,
        active=tuple(experience.assigned),
        state=experience.next_state,
        transitions=transitions,
        seed=experience.window,
    )
