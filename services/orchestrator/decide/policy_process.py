"""The policy in a process of its own: choosing never holds the interpreter that answers.

A thread would not do: numpy and the solver hold the interpreter for milliseconds, and a request
that arrives meanwhile waits as long (`python -m benchmarks decisions`, docs/decisions/0012).
"""

from __future__ import annotations

import asyncio
import contextlib
import pickle
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import Any

from tercet.process import log
from tercet.process.child import with_parent_death_signal
from tercet.rl.quarantine import Verdict
from tercet.rl.reasons import Reasons
from tercet.schemas.experience import Experience
from tercet.schemas.fleet import Condition, Fleet
from tercet.services.orchestrator.decide.policy_worker import LENGTH, framed

ATTEMPTS = 3
"""Processes in which a question is tried before it counts as one that kills them."""
GRACE = 1.0
"""Seconds from the end of questions to the end of the process."""

_log = log.get(__name__)


class PolicyProcessDied(Exception):
    """The question killed every process that it was put to."""


class PolicyProcess:
    """Asks the policy; starts it anew, with the parameters it had, when its process is killed."""

    def __init__(self, seed: int, budget: float | None = None) -> None:
        self._seed, self._budget = seed, budget
        self._births = 0
        self._process: Process | None = None
        self._turn = asyncio.Lock()
        self._blob: bytes | None = None
        self.version: int | None = None
        """Of the parameters in force; None before any, and after `forget`."""

    async def adopt(self, version: int, blob: bytes, *, unchecked: bool = False) -> None:
        """As `Policy.adopt`."""
        await self._ask("adopt", version, blob, unchecked=unchecked)
        self.version, self._blob = version, blob

    async def forget(self) -> None:
        """Begin again, with no parameters."""
        self.version = self._blob = None
        async with self._turn:
            await self._end()

    async def choose(
        self,
        name: str,
        fleet: Fleet,
        active: tuple[str, ...],
        conditions: dict[str, Condition],
        goal: str,
        unavailable: Collection[str] = (),
    ) -> dict[str, str]:
        """As `Policy.choose`."""
        avoided = frozenset(unavailable)
        chosen: dict[str, str] = await self._ask(
            "choose", name, fleet, active, conditions, goal, avoided
        )
        return chosen

    async def explain(
        self,
        name: str,
        fleet: Fleet,
        active: tuple[str, ...],
        conditions: dict[str, Condition],
        goal: str,
        unavailable: Collection[str],
        in_force: dict[str, str],
    ) -> tuple[Reasons | None, int | None]:
        """As `Policy.explain`."""
        avoided = frozenset(unavailable)
        found: tuple[Reasons | None, int | None] = await self._ask(
            "explain", name, fleet, active, conditions, goal, avoided, in_force
        )
        return found

    async def screen(self, seen: Experience) -> dict[str, Verdict]:
        """As `Policy.screen`; what it remembers of former rounds dies with the process."""
        verdicts: dict[str, Verdict] = await self._ask("screen", seen)
        return verdicts

    async def purse(self) -> tuple[float | None, int]:
        """As `Policy.purse`."""
        found: tuple[float | None, int] = await self._ask("purse")
        return found

    async def costs(self, blob: bytes) -> tuple[float, float] | None:
        """As `Policy.costs`."""
        found: tuple[float, float] | None = await self._ask("costs", blob)
        return found

    async def warm(self) -> None:
        """Start the process, so that the first question need not wait for it."""
        async with self._turn:
            await self._alive()

    async def close(self) -> None:
        """End the process."""
        async with self._turn:
            await self._end()

    async def _ask(self, name: str, *arguments: Any, **named: Any) -> Any:
        """One question at a time; what the policy raises is raised here."""
        async with self._turn:
            for _ in range(ATTEMPTS):
                try:
                    good, value = await _exchange(await self._alive(), (name, arguments, named))
                except (EOFError, OSError):
                    _log.warning("the thinking process died and is started anew")
                    await self._end()
                    continue
                except asyncio.CancelledError:
                    await self._end()  # Its answer would be taken for the next one's.
                    raise
                if good:
                    return value
                raise value
        raise PolicyProcessDied(name)

    async def _alive(self) -> Process:
        """The process; each has chances of its own, else a second would explore as the first."""
        if self._process is None:
            worker = "tercet.services.orchestrator.decide.policy_worker"
            command = [sys.executable, "-P", "-m", worker, str(self._seed + self._births)]
            command += [] if self._budget is None else [str(self._budget)]
            self._process = await asyncio.create_subprocess_exec(
                *with_parent_death_signal(command),
                stdin=PIPE,
                stdout=PIPE,
                start_new_session=True,  # Ctrl-C is for us, and we end it.
            )
            self._births += 1
            if self._blob is not None:
                await _exchange(self._process, ("adopt", (self.version, self._blob), {}))
        return self._process

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None, "it was made with a pipe"
        process.stdin.close()
        try:
            async with asyncio.timeout(GRACE):
                await process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


async def _exchange(process: Process, question: object) -> tuple[bool, Any]:
    """Ask and be answered; EOFError or OSError when the process dies of it or before."""
    assert process.stdin is not None and process.stdout is not None, "made with pipes"
    process.stdin.write(framed(question))
    await process.stdin.drain()
    length = LENGTH.unpack(await process.stdout.readexactly(LENGTH.size))[0]
    answer: tuple[bool, Any] = pickle.loads(await process.stdout.readexactly(length))
    return answer


@asynccontextmanager
async def thinking(seed: int, budget: float | None = None) -> AsyncIterator[PolicyProcess]:
    """A thinker, whose process warms up meanwhile: the first question waits for that."""
    thinker = PolicyProcess(seed, budget)
    try:
        await thinker.warm()
        yield thinker
    finally:
        await thinker.close()
