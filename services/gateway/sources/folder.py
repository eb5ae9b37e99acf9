"""A watched folder as a source: new and changed pictures, each once, the newest first."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from tercet.models import images
from tercet.models.errors import ImageError
from tercet.process import log, metrics
from tercet.process.waiting import within
from tercet.services.gateway.application import ApplicationRequest, Infer
from tercet.services.gateway.settings import GatewaySettings
from tercet.services.gateway.sources.folder_scan import FolderScan, look

AT_ONCE = 4
"""Pictures of the folder in progress at once. Those that arrive meanwhile come before the rest."""

_log = log.get(__name__)


class WatchedFolder:
    """Hands the pictures of a folder to the gateway. It polls: shared folders do not notify."""

    def __init__(self, settings: GatewaySettings, folder: Path, infer: Infer) -> None:
        self._settings, self._folder, self._infer = settings, folder, infer
        self._scan = FolderScan(settings.folder_stale)
        self._reading = asyncio.Semaphore(1)  # For memory: a file may be large.

    async def run(self, stop: asyncio.Event) -> None:
        """Look into the folder again and again, until `stop`."""
        while not stop.is_set():
            before = self._scan.stale
            names = self._scan.enter(await asyncio.to_thread(look, self._folder), time.time_ns())
            if dropped := self._scan.stale - before:
                metrics.STALE_PICTURES.labels(self._settings.node).inc(dropped)
                _log.info("stale pictures dropped", count=dropped)
            async with asyncio.TaskGroup() as tasks:
                for name in names[:AT_ONCE]:
                    self._scan.taken(name)
                    tasks.create_task(self._classify(name))
            if len(names) <= AT_ONCE:
                await within(stop, self._settings.folder_period)

    async def _classify(self, name: str) -> None:
        try:
            async with self._reading:
                picture, original = await asyncio.to_thread(_read, self._folder / name)
        except (OSError, ImageError) as error:
            _log.warning("picture not read", name=name, reason=str(error))
            return
        answer = await self._infer(
            ApplicationRequest(
                picture=picture,
                source=self._folder.name,
                frame=name,
                deadline_ms=self._settings.deadline * 1000,
                family=None,
                original=original,
            )
        )
        if answer.status != "ok":
            facts = {"name": name, "status": answer.status, "reason": answer.reason}
            _log.warning("picture not classified", **facts)


def _read(file: Path) -> tuple[bytes, tuple[int, int] | None]:
    """A picture that can be sent, and its size if it was made smaller for that. Blocking."""
    with file.open("rb") as source:
        picture = source.read(images.MAX_FILE_BYTES + 1)
    if len(picture) > images.MAX_FILE_BYTES:
        raise OSError(f"larger than {images.MAX_FILE_BYTES} bytes")
    sent = images.sendable(picture)
    return sent, None if sent is picture else images.upright_size(picture)
