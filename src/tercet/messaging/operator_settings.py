"""Operator settings in the KV bucket `control`: the goal, exploration, the pinned policy version.

A key holds the value in force; writing one also announces it on its subject. The stream STEERING
keeps the announcements as a record.
"""

from __future__ import annotations

from functools import partial

from nats.js.errors import KeyNotFoundError

from tercet.messaging.buckets import open_bucket
from tercet.messaging.bus import Bus
from tercet.messaging.parsing import M, parse
from tercet.process import log
from tercet.process.errors import Misconfigured, Unprocessable
from tercet.schemas import Message
from tercet.schemas.exploration import Exploration
from tercet.schemas.goal import GoalSet
from tercet.schemas.policy import PolicySet

BUCKET = "control"

_log = log.get(__name__)


class UnreadableKey(Misconfigured):
    """A key of the control bucket holds something that is not its message."""

    def __init__(self, key: str, reason: str) -> None:
        super().__init__(
            f"key {key} of the control bucket cannot be read ({reason});"
            " the value before it stays in force until it is set again"
        )
        self.key = key


async def read_goal(bus: Bus) -> GoalSet | None:
    """Return the goal in force, None before one is set; raises UnreadableKey, TryLater."""
    return await _read(bus, "goal", GoalSet)


async def write_goal(bus: Bus, goal: GoalSet) -> None:
    """Put the goal in force and announce it."""
    await _write(bus, "goal", goal)


async def read_exploration(bus: Bus) -> Exploration | None:
    """Return whether to explore, None before it is set; raises UnreadableKey, TryLater."""
    return await _read(bus, "exploration", Exploration)


async def write_exploration(bus: Bus, exploration: Exploration) -> None:
    """Pause or resume exploration, and announce it."""
    await _write(bus, "exploration", exploration)


async def read_policy(bus: Bus) -> PolicySet | None:
    """Return the last command on the policy version, or None; raises UnreadableKey, TryLater."""
    return await _read(bus, "policy", PolicySet)


async def write_policy(bus: Bus, command: PolicySet) -> None:
    """Store a command on the policy version, and announce it."""
    await _write(bus, "policy", command)


class ControlReader:
    """Reads the operator settings repeatedly, for a service that runs on.

    An unreadable key counts as not set. It is logged once, not at each read; a key that is
    repaired and breaks again is logged again.
    """

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._reported: dict[str, str] = {}
        """Key to the error that was logged last for it."""

    async def goal(self) -> GoalSet | None:
        """Return the goal in force, or None; raises TryLater while the broker is unreachable."""
        return await self._read("goal", GoalSet)

    async def exploration(self) -> Exploration | None:
        """Return whether to explore, or None; raises TryLater."""
        return await self._read("exploration", Exploration)

    async def policy(self) -> PolicySet | None:
        """Return the last command on the policy version, or None; raises TryLater."""
        return await self._read("policy", PolicySet)

    async def _read(self, key: str, kind: type[M]) -> M | None:
        try:
            message = await _read(self._bus, key, kind)
        except UnreadableKey as error:
            if self._reported.get(key) != str(error):
                _log.error("control key unreadable", key=key, reason=str(error))
            self._reported[key] = str(error)
            return None
        self._reported.pop(key, None)
        return message


async def _read(bus: Bus, key: str, kind: type[M]) -> M | None:
    bucket = await open_bucket(bus, BUCKET)
    try:
        entry = await bus.retry(partial(bucket.get, key))
        return parse(kind, entry.value or b"")
    except KeyNotFoundError:
        return None
    except Unprocessable as error:
        raise UnreadableKey(key, str(error)) from error


async def _write(bus: Bus, key: str, message: Message) -> None:
    bucket = await open_bucket(bus, BUCKET)
    await bucket.put(key, message.model_dump_json().encode())
    await bus.publish(message)
