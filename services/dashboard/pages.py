"""The web application: the page, its files, its event stream, and the actions it may post."""

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
from tercet.services.dashboard.access_control import AccessControl
from tercet.services.dashboard.actions import (
    ActionRequest,
    ExplorationRequest,
    GoalRequest,
    check_goal,
    parse_action,
    recorded_author,
)
from tercet.services.dashboard.event_stream import EventStream
from tercet.services.dashboard.page_updates import PageUpdates
from tercet.services.dashboard.request_history import MAX_OPTIONS
from tercet.services.dashboard.sanitise import clip
from tercet.services.dashboard.settings import DashboardSettings
from tercet.services.dashboard.viewers import TooManyViewers

MEDIA_TYPES = {
    "html": "text/html",
    "css": "text/css",
    "js": "text/javascript",
    "svg": "image/svg+xml",
    "txt": "text/plain",
}
MAX_BODY_BYTES = 4096
"""Size limit of a posted action."""


@dataclass(frozen=True)
class ActionHandler:
    """The effects of a page's actions, passed in by the service."""

    set_goal: Callable[[str, str], Awaitable[GoalSet]]
    """Takes the goal and its author; returns the stored message; raises TryLater."""
    set_exploration: Callable[[bool, str], Awaitable[Exploration]]
    """Takes whether to explore, and the author; as above."""
    explain: Callable[[str], Awaitable[Explanation | None]]
    """Takes a device; returns the decider's explanation, or None."""


class RequestRefused(Exception):
    """An HTTP request that is refused, with status and reason."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class Pages:
    """The request handlers. Everything they show comes from `updates`."""

    def __init__(
        self, updates: PageUpdates, actions: ActionHandler, settings: DashboardSettings
    ) -> None:
        self._updates, self._actions, self._settings = updates, actions, settings
        self._files = read_static_files()

    def application(self) -> Starlette:
        """Return the routes behind the access control."""
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
            middleware=[Middleware(AccessControl, hosts=hosts)],
            exception_handlers={RequestRefused: _refused},
        )

    async def file(self, request: Request) -> Response:
        """Serve a file of the page from memory; request paths never reach the file system."""
        name = request.path_params["path"] or "index.html"
        body = self._files.get(name)
        if body is None:
            return PlainTextResponse("there is no such page\n", 404)
        return Response(body, media_type=MEDIA_TYPES.get(name.rpartition(".")[2], "text/plain"))

    async def events(self, request: Request) -> Response:
        """Serve the event stream."""
        try:
            chunks = self._updates.open_stream()
        except TooManyViewers:
            raise RequestRefused(503, "too many pages are open; try again later") from None
        return EventStream(chunks, self._settings.dashboard_patience)

    async def picture(self, request: Request) -> Response:
        """Serve the full state as JSON, for programs."""
        return JSONResponse(self._updates.page.full_state())

    async def device(self, request: Request) -> Response:
        """Serve the details of a device, with the decider's explanation."""
        name = request.path_params["name"]
        found = self._updates.page.device(name)
        if found is None:
            raise RequestRefused(404, "no such device")
        explanation = await self._actions.explain(name)
        return JSONResponse(
            {**found, "explanation": explanation and explanation_fields(explanation)}
        )

    async def goal(self, request: Request) -> Response:
        """Set the goal."""
        action: GoalRequest = await self._read_action(request, GoalRequest)
        try:
            goal = check_goal(action.goal, self._updates.page.nodes.accuracies)
        except Unprocessable as error:
            raise RequestRefused(400, str(error)) from error
        return await self._execute(self._actions.set_goal(goal, self._author(request, action)))

    async def exploration(self, request: Request) -> Response:
        """Pause or resume exploration."""
        action: ExplorationRequest = await self._read_action(request, ExplorationRequest)
        return await self._execute(
            self._actions.set_exploration(action.explore, self._author(request, action))
        )

    async def _read_action(self, request: Request, kind: type[ActionRequest]) -> Any:
        """Read a posted action; raises RequestRefused if read-only or invalid."""
        if self._settings.dashboard_read_only:
            raise RequestRefused(403, "this dashboard is read-only (TERCET_DASHBOARD_READ_ONLY)")
        if request.headers.get("content-type", "").partition(";")[0] != "application/json":
            raise RequestRefused(415, "Content-Type: must be application/json")
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_BODY_BYTES:
                raise RequestRefused(413, f"body: more than {MAX_BODY_BYTES} bytes")
        try:
            return parse_action(kind, bytes(body))
        except Unprocessable as error:
            raise RequestRefused(400, str(error)) from error

    async def _execute(self, change: Awaitable[Message]) -> Response:
        try:
            message = await change
        except TryLater as error:
            raise RequestRefused(503, f"nothing was changed: {error}") from error
        return Response(message.model_dump_json(), media_type="application/json")

    def _author(self, request: Request, action: ActionRequest) -> str:
        return recorded_author(action.by, request.client.host if request.client else "?")


async def _refused(request: Request, error: Exception) -> Response:
    status = error.status if isinstance(error, RequestRefused) else 500
    return JSONResponse({"error": str(error)}, status)


def explanation_fields(explanation: Explanation) -> dict[str, Any]:
    """Return the fields that the page shows; the requests are part of the page state already."""
    fields = explanation.model_dump(mode="json", exclude={"trips"})
    return {
        **fields,
        "policy": clip(fields["policy"]),
        "options": fields["options"][:MAX_OPTIONS],
    }


def read_static_files() -> dict[str, bytes]:
    """Return the content of every file of the page by name."""
    found: dict[str, bytes] = {}
    root = files("tercet.services.dashboard") / "static"
    for prefix, folder in (("", root), ("vendor/", root / "vendor")):
        for file in folder.iterdir():
            if file.is_file():
                found[prefix + file.name] = file.read_bytes()
    return found
