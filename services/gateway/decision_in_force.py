"""The decision in force of one device: followed on the bus, kept on disk, at hand at once.

No request waits for a decision: the last one that was published stays in force, also while the
orchestrator or the broker is gone, and after a restart of this process.
"""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

from tercet.messaging.bus import Bus
from tercet.messaging.nats_errors import NATS_ERRORS
from tercet.messaging.parsing import parse
from tercet.messaging.stream_reader import last_on_subject
from tercet.process import log
from tercet.process.errors import Misconfigured, NoAnswer, TryLater, Unprocessable
from tercet.process.waiting import within
from tercet.schemas.decision import Decision
from tercet.schemas.request import Request

FILE = "decision.json"
POLL_S = 1.0
"""Seconds between two checks of the connection and of what is to be written."""
READ_AGAIN_S = 30.0
"""Seconds after which the last decision is read again, should a publication have been lost."""
WRITE_PERIOD_S = 10.0
"""Seconds between two writes to disk, at least: exploration changes decisions every second, and
memory cards wear. The first one is written at once."""

_log = log.get(__name__)


class DecisionInForce:
    """Holds the last decision of one device; `current` is None before the first."""

    def __init__(self, device: str, folder: Path | None, request_timeout: float = 0.5) -> None:
        """Load what an earlier process left in `folder`; Misconfigured if it is not usable."""
        self.device = device
        self.current: Decision | None = None
        self._file = None if folder is None else folder / FILE
        self._request_timeout = request_timeout
        self._received = 0
        """Decisions that were received while this process runs."""
        self._written: Decision | None = None
        if self._file is not None:
            self._load(self._file)

    async def follow(self, bus: Bus, stop: asyncio.Event) -> None:
        """Receive decisions, read the last one when one may have been missed, until `stop`."""
        await bus.subscribe(Decision, self._on_decision, device=self.device)
        loop = asyncio.get_running_loop()
        connection, read_at, written_at = -1, 0.0, float("-inf")
        while not stop.is_set():
            now, connections = loop.time(), bus.client.stats["reconnects"]
            missing = self.current is None or connections != connection
            if not bus.disconnected and (missing or now - read_at > READ_AGAIN_S):
                await self._read(bus)
                connection, read_at = connections, now
            if now - written_at > WRITE_PERIOD_S and await self._write():
                written_at = now
            await within(stop, POLL_S)
        await self._write()

    async def _on_decision(self, decision: Decision) -> None:
        if decision.device == self.device:
            self._received += 1
            self.current = decision

    async def _read(self, bus: Bus) -> None:
        """Take the last stored decision, unless one arrives meanwhile: that one is newer."""
        before = self._received
        decision = await self._stored(bus) or await self._asked(bus)
        if decision is not None and before == self._received:
            self.current = decision

    async def _stored(self, bus: Bus) -> Decision | None:
        """The last of the stream; None where this broker has none, as at an edge."""
        try:
            async with asyncio.timeout(POLL_S):
                return await last_on_subject(bus, Decision, Decision.pattern(device=self.device))
        except (*NATS_ERRORS, TryLater, Misconfigured) as error:
            _log.debug("stored decision not read", reason=repr(error))
            return None

    async def _asked(self, bus: Bus) -> Decision | None:
        """The orchestrator's answer, needed once by a newcomer that cannot read the stream."""
        if self.current is not None:
            return None
        try:
            request = Request(device=self.device)
            return await bus.request(request, Decision, self._request_timeout)
        except (NoAnswer, Unprocessable) as error:
            _log.debug("no decision yet", reason=str(error))
            return None

    def _load(self, file: Path) -> None:
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            decision = parse(Decision, file.read_bytes())
        except FileNotFoundError:
            return
        except OSError as error:
            raise Misconfigured(f"TERCET_STATE: {file.parent}: {error.strerror}") from error
        except Unprocessable as error:  # Truncated by a power failure, or of another program.
            _log.warning("kept decision unreadable", file=str(file), reason=str(error))
            return
        if decision.device == self.device:
            self.current = self._written = decision

    async def _write(self) -> bool:
        """Write the decision if it is not on disk; True if it was written."""
        decision, file = self.current, self._file
        if decision is None or file is None or decision is self._written:
            return False
        try:
            await asyncio.to_thread(_replace, file, decision.model_dump_json())
        except OSError as error:  # A full disk must not end the service.
            _log.error("decision not kept", file=str(file), reason=str(error))
            return False
        self._written = decision
        return True


def _replace(file: Path, text: str) -> None:
    """Write a file so that a reader finds the old text or the new one, never a part."""
    fresh = file.with_suffix(".new")
    try:
        fresh.write_text(text)
        fresh.replace(file)
    except OSError:
        with contextlib.suppress(OSError):
            fresh.unlink(missing_ok=True)
        raise
