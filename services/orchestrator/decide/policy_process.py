"""The policy in a process of its own, so that choosing never delays the answers to requests.

A thread would not do: numpy and the solver hold the interpreter for milliseconds, and a request
that arrives meanwhile waits as long (`python -m benchmarks decisions`, docs/decisions/0012).
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Concatenate, ParamSpec, TypeVar

from tercet.process import log
from tercet.process.child import with_parent_death_signal
from tercet.process.settings import PolicyName
from tercet.services.orchestrator.decide.policy_interface import ERRORS, DecisionPolicy
from tercet.services.orchestrator.decide.remote_call import (
    LENGTHS,
    Frame,
    Interface,
    MalformedFrame,
    lengths,
)

MAX_ATTEMPTS = 3
"""Calls are tried in this many processes; then the call itself is taken to be the cause."""
EXIT_TIMEOUT_S = 1.0
"""Seconds from the end of its input to the end of the process, else it is killed."""
INTERFACE = Interface(DecisionPolicy, ERRORS)

P = ParamSpec("P")
R = TypeVar("R")

_log = log.get(__name__)


class PolicyProcessFailed(Exception):
    """The call ended every process in which it was tried."""


def _remote(
    method: Callable[Concatenate[DecisionPolicy, P], R],
) -> Callable[Concatenate[PolicyProcess, P], Coroutine[Any, Any, R]]:
    """The same method, answered by the process; what the policy raises is raised here."""

    async def call(self: PolicyProcess, /, *args: P.args, **kwargs: P.kwargs) -> R:
        found: R = await self._call(method.__name__, *args, **kwargs)
        return found

    call.__doc__ = method.__doc__
    return call


class PolicyProcess:
    """Client of the process; starts it again, with the parameters in force, when it has ended."""

    def __init__(
        self, seed: int, budget: float | None = None, agent: PolicyName = "hybrid"
    ) -> None:
        """`budget`: what exploration may cost in the long run, as a share; None: no limit."""
        self._seed, self._budget, self._agent = seed, budget, agent
        self._starts = 0
        self._process: Process | None = None
        self._lock = asyncio.Lock()
        self._blob: bytes | None = None
        self.version: int | None = None
        """Version of the parameters in force; None before any, and after `forget`."""

    _adopt = _remote(DecisionPolicy.adopt)
    choose = _remote(DecisionPolicy.choose)
    explain = _remote(DecisionPolicy.explain)
    expected_ms = _remote(DecisionPolicy.expected_ms)
    add_round = _remote(DecisionPolicy.add_round)
    costs = _remote(DecisionPolicy.costs)
    exploration_budget = _remote(DecisionPolicy.exploration_budget)

    async def adopt(self, version: int, blob: bytes, unchecked: bool = False) -> None:
        """As `DecisionPolicy.adopt`."""
        await self._adopt(version, blob, unchecked)
        self.version, self._blob = version, blob

    async def forget(self) -> None:
        """Begin again, with no parameters."""
        self.version = self._blob = None
        await self.close()

    async def start(self) -> None:
        """Start the process, so that the first call need not wait for it."""
        async with self._lock:
            await self._running()

    async def close(self) -> None:
        """End the process."""
        async with self._lock:
            await self._end()

    async def _call(self, name: str, *args: Any, **kwargs: Any) -> Any:
        """One call at a time, for the process answers in order."""
        call = INTERFACE.calls[name]
        question = call.question(*args, **kwargs)
        async with self._lock:
            for _ in range(MAX_ATTEMPTS):
                try:
                    return call.result(
                        await _exchange(await self._running(), question), INTERFACE.errors
                    )
                except (EOFError, OSError, MalformedFrame) as error:
                    _log.warning("policy process failed and is started again", reason=repr(error))
                    await self._end()
                except asyncio.CancelledError:
                    await self._end()  # Else its answer would be taken for the next call's.
                    raise
        raise PolicyProcessFailed(name)

    async def _running(self) -> Process:
        """The process; each has a seed of its own, else a second would explore as the first."""
        if self._process is None:
            worker = "tercet.services.orchestrator.decide.policy_worker"
            command = [sys.executable, "-P", "-m", worker, self._agent]
            command += [str(self._seed + self._starts)]
            command += [] if self._budget is None else [str(self._budget)]
            self._process = await asyncio.create_subprocess_exec(
                *with_parent_death_signal(command),
                stdin=PIPE,
                stdout=PIPE,
                start_new_session=True,  # Ctrl-C is for this process, which ends the other.
            )
            self._starts += 1
            if self.version is not None and self._blob is not None:
                adopt = INTERFACE.calls["adopt"]
                question = adopt.question(self.version, self._blob, unchecked=True)
                adopt.result(await _exchange(self._process, question), INTERFACE.errors)
        return self._process

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None, "it was started with a pipe"
        process.stdin.close()
        try:
            async with asyncio.timeout(EXIT_TIMEOUT_S):
                await process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


async def _exchange(process: Process, question: Frame) -> bytes:
    """Ask, and return the header of the answer.

    Raises EOFError or OSError when the process ends before it has answered.
    """
    assert process.stdin is not None and process.stdout is not None, "started with pipes"
    process.stdin.write(question.packed())
    await process.stdin.drain()
    header, blob = lengths(await process.stdout.readexactly(LENGTHS.size))
    answer = await process.stdout.readexactly(header + blob)
    return answer[:header]


@asynccontextmanager
async def policy_process(
    seed: int, budget: float | None = None, agent: PolicyName = "hybrid"
) -> AsyncIterator[PolicyProcess]:
    """A policy process that is started already and ends on the way out."""
    process = PolicyProcess(seed, budget, agent)
    try:
        await process.start()
        yield process
    finally:
        await process.close()
