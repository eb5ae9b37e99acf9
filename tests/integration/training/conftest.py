"""Workers as real processes on a real broker, and the checks of their results."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest

from tercet.experience.digest import IdDigest
from tercet.messaging.bus import Bus
from tercet.messaging.nats_errors import NATS_ERRORS
from tercet.messaging.parameter_store import ParameterStore
from tercet.messaging.topology import MEMBERS
from tercet.process.child import with_parent_death_signal
from tercet.rl.serialisation import from_bytes
from tercet.schemas.experience_v2 import Experience
from tercet.schemas.lease import Lease
from tercet.schemas.parameters import Parameters
from tercet.services.world_model.agents import SLOTS
from tercet.services.world_model.member import Member
from tests.conftest import Server
from tests.integration.services.test_learning import ROUNDS

T = TypeVar("T")


class Workers:
    """World-model workers by name; their logs are kept for checks of log events."""

    def __init__(self, directory: Path, url: str) -> None:
        self._directory, self._url = directory, url
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, *names: str) -> None:
        for name in names:
            settings = {"worker": name, "bus_url": self._url, "log_level": "DEBUG"}
            environment = {f"TERCET_{key.upper()}": value for key, value in settings.items()}
            with self._log(name).open("ab") as sink:
                self._running[name] = subprocess.Popen(
                    with_parent_death_signal([sys.executable, "-m", "tercet.services.world_model"]),
                    env={**os.environ, **environment, "OMP_NUM_THREADS": "1"},
                    stderr=sink,
                )

    def signal(self, name: str, number: signal.Signals) -> None:
        self._running[name].send_signal(number)

    def kill(self, name: str) -> None:
        process = self._running.pop(name)
        process.kill()
        process.wait(timeout=10)

    async def end(self, name: str) -> int:
        """SIGTERM; the exit code."""
        process = self._running.pop(name)
        process.terminate()
        return await asyncio.to_thread(process.wait, 20)

    def alive(self, name: str) -> bool:
        return self._running[name].poll() is None

    def logged(self, name: str, event: str) -> int:
        """How often a worker logged an event."""
        return self._log(name).read_text().count(f'"event": "{event}"')

    def _log(self, name: str) -> Path:
        return self._directory / f"{name}.log"

    def clear(self) -> None:
        for name in list(self._running):
            self.signal(name, signal.SIGCONT)
            self.kill(name)


@pytest.fixture
def workers(server: Server, tmp_path: Path) -> Iterator[Workers]:
    running = Workers(tmp_path, server.url)
    yield running
    running.clear()


async def until(condition: Callable[[], Awaitable[T]], seconds: float = 60.0) -> T:
    """Wait until a condition holds, and return what it returned."""
    last: object = None
    try:
        async with asyncio.timeout(seconds):
            while True:
                try:
                    if found := await condition():
                        return found
                    last = found
                except NATS_ERRORS as error:  # the broker is away
                    last = error
                await asyncio.sleep(0.1)
    except TimeoutError:
        pytest.fail(f"still not so after {seconds} s: {last}")


async def leases(bus: Bus) -> dict[str, Lease]:
    bucket, found = await bus.js.key_value("leases"), {}
    for slot in SLOTS:
        try:
            entry = await bucket.get(slot)
        except NATS_ERRORS:  # not taken yet
            continue
        found[slot] = Lease.model_validate_json(entry.value or b"")
    return found


async def counts(bus: Bus) -> dict[str, int]:
    """Worker to the number of slots it holds."""
    held: dict[str, int] = {}
    for lease in (await leases(bus)).values():
        if lease.holder:
            held[lease.holder] = held.get(lease.holder, 0) + 1
    return held


async def shared(bus: Bus, expected: dict[str, int] | list[int], seconds: float = 60.0) -> None:
    """Wait until the slots are shared out as expected: by name, or in descending numbers."""

    async def so() -> bool:
        held = await counts(bus)
        return held == expected or sorted(held.values(), reverse=True) == expected

    await until(so, seconds)


def state(number: int) -> dict[str, dict[str, float]]:
    return {"edge-1": {"cpu": (7 * number % 10) / 10}, "sky": {"cpu": (3 * number % 10) / 10}}


def rounds(count: int) -> list[Experience]:
    """Distinct rounds of a small world; some lack a device, some are for evaluation only."""
    found = []
    for k in range(count):
        shown = ROUNDS[(7 * k) % len(ROUNDS)]
        more: dict[str, object] = {"window": k + 1, "state": state(k), "next_state": state(k + 1)}
        if k % 9 == 4:
            more |= {name: getattr(shown, name)[1:] for name in ("requests", "attempts")}
        if k % 13 == 6:
            more |= {"requests": (), "attempts": (), "mean_ms": shown.average_ms}
        if k % 10 == 9:
            more["purpose"] = "evaluate"
        fields = {**shown.model_dump(exclude={"id", "cause", "at"}), **more}
        found.append(Experience.caused_by(shown, key=str(k), **fields))
    return found


async def publish(bus: Bus, experiences: list[Experience]) -> None:
    for experience in experiences:
        await bus.publish(experience)


class Held:
    """Delays `kind.update`, in its thread, until `go` is set."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, kind: type) -> None:
        self.begun, self.go = asyncio.Event(), threading.Event()
        loop, update = asyncio.get_running_loop(), kind.update  # type: ignore[attr-defined]

        def slowly(mine: object) -> object:
            loop.call_soon_threadsafe(self.begun.set)
            self.go.wait()
            return update(mine)

        monkeypatch.setattr(kind, "update", slowly)


def training_rounds(experiences: list[Experience]) -> int:
    return sum(e.purpose == "learn" for e in experiences)


async def pointers(bus: Bus) -> list[Parameters]:
    store = await ParameterStore.open(bus)
    found = [await store.pointer(f"member-{k}") for k in range(MEMBERS)]
    return [pointer for pointer in found if pointer is not None]


def digest_of(experiences: list[Experience]) -> str:
    return str(IdDigest(e.id for e in experiences if e.purpose == "learn"))


async def learned(bus: Bus, experiences: list[Experience], seconds: float = 60.0) -> None:
    """Wait until every member has each of these in effect once."""

    async def so() -> bool:
        expected = training_rounds(experiences), digest_of(experiences)
        return [(p.learned, p.ids) for p in await pointers(bus)] == [expected] * MEMBERS

    await until(so, seconds)


async def as_expected(bus: Bus, experiences: list[Experience]) -> None:
    """Members must publish what one process would have, trained on all, round by round."""
    store = await ParameterStore.open(bus)
    for slot, pointer in enumerate(await pointers(bus)):
        published = from_bytes(await store.read(pointer))
        expected = from_bytes(learned_here(slot, experiences))
        for name, array in published.items():
            assert array.dtype == expected[name].dtype
            np.testing.assert_allclose(array, expected[name], rtol=1e-4, atol=1e-5)


def learned_here(slot: int, experiences: list[Experience], every: int = 1) -> bytes:
    """A member's parameters; asked for after `every` so many experiences, too."""
    member = Member(slot, seed=0)
    for k, experience in enumerate(experiences):
        member.real(experience)
        if k % every == 0:
            member.update()
    return member.update() or b""
