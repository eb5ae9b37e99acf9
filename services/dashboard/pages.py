"""The web application: one page, its files, its stream of events, and what it may post."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from tercet.process.errors import TryLater, Unprocessable
from tercet.schemas import Message
from tercet.schemas.explanation import Explanation
from tercet.schemas.exploration import Exploration
from tercet.schemas.goal import GoalSet
from tercet.services.dashboard.access_control import Guard
from tercet.services.dashboard.actions import (
    ActionRequest,
    ExplorationRequest,
    GoalRequest,
    reachable,
    read,
    signature,
)
from tercet.services.dashboard.event_stream import EventStream
from tercet.services.dashboard.live import Live
from tercet.services.dashboard.request_history import OPTIONS
from tercet.services.dashboard.sanitise import clip
from tercet.services.dashboard.settings import Settings
from tercet.services.dashboard.viewers import Full

TYPES = {
    "html": "text/html",
    "css": "text/css",
    "js": "text/javascript",
    "svg": "image/svg+xml",
    "txt": "text/plain",
}
LARGEST = 4096
"""Bytes of a wish at most."""


@dataclass(frozen=True)
class ActionHandler:
    """What is done on the bus for those who watch: given by the shell, no bus is needed here."""

    set_goal: Callable[[str, str], Awaitable[GoalSet]]
    """Takes the goal and who set it; returns what is in force; raises TryLater."""
    set_exploration: Callable[[bool, str], Awaitable[Exploration]]
    """Takes whether to explore, and who says so; as above."""
    why: Callable[[str], Awaitable[Explanation | None]]
    """Takes a device; returns the decider's own words, if it has any."""


class Refused(Exception):
    """A wish that is not granted; status and reason."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class Pages:
    """Answers each request; everything it shows comes from `live`."""

    def __init__(self, live: Live, errands: ActionHandler, settings: Settings) -> None:
        self._live, self._errands, self._settings = live, errands, settings
        self._files = static()

    def application(self) -> Starlette:
        """The routes, behind the guard."""
        hosts = (self._settings.dashboard_host, *self._settings.dashboard_hosts)
        return Starlette(
            routes=[
                Route("/events", self.events),
                Route("/api/picture", self.picture),
                Route("/api/device/{name}", self.device),
                Route("/api/goal", self.goal, methods=["POST"]),
                Route("/api/exploration", self.exploration, methods=["POST"]),
                Route("/{path:path}", self.file),
            ],
            middleware=[Middleware(Guard, hosts=hosts)],
            exception_handlers={Refused: _refused},
        )

    async def file(self, request: Request) -> Response:
        """A file of the page, from memory: no path ever reaches a disk."""
        name = request.path_params["path"] or "index.html"
        body = self._files.get(name)
        if body is None:
            return PlainTextResponse("there is no such page\n", 404)
        return Response(body, media_type=TYPES.get(name.rpartition(".")[2], "text/plain"))

    async def events(self, request: Request) -> Response:
        """The live stream."""
        try:
            chunks = self._live.viewed()
        except Full:
            raise Refused(503, "too many pages are open; try again later") from None
        return EventStream(chunks, self._settings.dashboard_patience)

    async def picture(self, request: Request) -> Response:
        """Everything at once, for programs."""
        return JSONResponse(self._live.picture.whole())

    async def device(self, request: Request) -> Response:
        """Why a device was told what it was told."""
        name = request.path_params["name"]
        found = self._live.picture.device(name)
        if found is None:
            raise Refused(404, "no such device")
        explanation = await self._errands.why(name)
        return JSONResponse({**found, "explanation": explanation and told(explanation)})

    async def goal(self, request: Request) -> Response:
        """Put another goal in force."""
        wish: GoalRequest = await self._wish(request, GoalRequest)
        try:
            goal = reachable(wish.goal, self._live.picture.nodes.accuracies)
        except Unprocessable as error:
            raise Refused(400, str(error)) from error
        return await self._done(self._errands.set_goal(goal, self._who(request, wish)))

    async def exploration(self, request: Request) -> Response:
        """Pause exploring, or let it go on."""
        wish: ExplorationRequest = await self._wish(request, ExplorationRequest)
        return await self._done(
            self._errands.set_exploration(wish.explore, self._who(request, wish))
        )

    async def _wish(self, request: Request, kind: type[ActionRequest]) -> Any:
        """Read what was posted; refuses it when nothing may be changed, or it makes no sense."""
        if self._settings.dashboard_read_only:
            raise Refused(403, "this dashboard is read-only (TERCET_DASHBOARD_READ_ONLY)")
        if request.headers.get("content-type", "").partition(";")[0] != "application/json":
            raise Refused(415, "Content-Type: must be application/json")
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > LARGEST:
                raise Refused(413, f"body: more than {LARGEST} bytes")
        try:
            return read(kind, bytes(body))
        except Unprocessable as error:
            raise Refused(400, str(error)) from error

    async def _done(self, change: Awaitable[Message]) -> Response:
        try:
            message = await change
        except TryLater as error:
            raise Refused(503, f"nothing was changed: {error}") from error
        return Response(message.model_dump_json(), media_type="application/json")

    def _who(self, request: Request, wish: ActionRequest) -> str:
        return signature(wish.by, request.client.host if request.client else "?")


async def _refused(request: Request, error: Exception) -> Response:
    status = error.status if isinstance(error, Refused) else 500
    return JSONResponse({"error": str(error)}, status)


def told(explanation: Explanation) -> dict[str, Any]:
    """An explanation as the page shows it; the requests are in the picture already."""
    said = explanation.model_dump(mode="json", exclude={"trips"})
    return {**said, "policy": clip(said["policy"]), "options": said["options"][:OPTIONS]}


def static() -> dict[str, bytes]:
    """Name to content of every file of the page, read once."""
    found: dict[str, bytes] = {}
    root = files("tercet.services.dashboard") / "static"
    for prefix, folder in (("", root), ("vendor/", root / "vendor")):
        for file in folder.iterdir():
            if file.is_file():
                found[prefix + file.name] = file.read_bytes()
    return found
