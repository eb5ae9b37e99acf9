"""A gateway's pipeline and stand-ins for what it talks to, for the tests of the gateway."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tercet.messaging.bus import Bus
from tercet.messaging.responder import RawRequest, responding
from tercet.models.classifier import Classifier
from tercet.schemas.classification import Classification
from tercet.schemas.decision import Alternative, Decision
from tercet.schemas.fleet import Label
from tercet.schemas.outcome import Outcome
from tercet.schemas.result import Result
from tercet.schemas.round import Round
from tercet.services.gateway.application import Answer, ApplicationRequest
from tercet.services.gateway.decision_in_force import DecisionInForce
from tercet.services.gateway.local_fallback import LocalFallback
from tercet.services.gateway.local_inference import LocalInference
from tercet.services.gateway.refused_requests import RefusedRequests
from tercet.services.gateway.request_pipeline import RequestPipeline
from tercet.services.gateway.settings import GatewaySettings
from tercet.services.gateway.window_in_force import WindowInForce

PROFILE = {"d0": 100.0, "d2": 31.0, "d3": 14.0, "d4": 63.0}
ACCURACY = {"d0": 89.9, "d2": 84.9, "d3": 74.2, "d4": 88.9}
NODES = {"L": "cam-1", "E": "gate", "C": "sky"}
SETTINGS: dict[str, Any] = {"node": "cam-1", "decision_timeout": 0.3, "inference_timeout": 0.5}


def local_fallback(**fields: Any) -> LocalFallback:
    return LocalFallback("cam-1", profile_ms=PROFILE, accuracy_pct=ACCURACY, **fields)


def decision(
    option: str, *alternatives: str, expected_ms: float | None = None, **fields: Any
) -> Decision:
    """A decision for `cam-1`; an alternative is `d0@E` or, with an expected time, `d0@E 40`."""
    listed = []
    for text in alternatives:
        name, _, ms = text.partition(" ")
        listed.append(
            Alternative(option=name, node=NODES[name[-1]], expected_ms=float(ms) if ms else None)
        )
    return Decision(
        device="cam-1", option=option, node=NODES[option[-1]], goal="80", policy="test",
        expected_ms=expected_ms, alternatives=tuple(listed), **fields,
    )  # fmt: skip


@dataclass
class Gateway:
    """A pipeline whose reports are kept instead of published."""

    pipeline: RequestPipeline
    decisions: DecisionInForce
    local: LocalFallback
    windows: WindowInForce
    outcomes: list[Outcome] = field(default_factory=list)
    results: list[Result] = field(default_factory=list)
    refused: RefusedRequests = field(default_factory=lambda: RefusedRequests("cam-1"))

    async def infer(
        self,
        picture: bytes = b"a picture",
        opened: Round | None = None,
        deadline_ms: float = 5000.0,
        **fields: Any,
    ) -> Answer:
        """Answer one request of the source `test`."""
        facts = {"source": "test", "frame": "1", "family": None, **fields}
        request = ApplicationRequest(picture=picture, deadline_ms=deadline_ms, **facts)
        return await self.pipeline.infer(request, opened)

    async def run(self, picture: bytes, opened: Round | None) -> Outcome:
        """Make one request, and return its outcome."""
        await self.infer(picture, opened)
        return self.outcomes[-1]


def gateway(
    bus: Bus,
    classifier: Callable[[], Classifier],
    in_force: Decision | None = None,
    local: LocalFallback | None = None,
    **settings: Any,
) -> Gateway:
    """A gateway of `cam-1` with a decision in force."""
    decisions, local = DecisionInForce("cam-1", None), local or local_fallback()
    decisions.current = in_force
    windows, outcomes, results = WindowInForce(), list[Outcome](), list[Result]()
    refused = RefusedRequests("cam-1")

    def report(outcome: Outcome, result: Result | None) -> None:
        outcomes.append(outcome)
        results.extend([] if result is None else [result])

    pipeline = RequestPipeline(
        bus,
        GatewaySettings(**{**SETTINGS, **settings}),
        decisions,
        local,
        LocalInference(classifier),
        report,
        windows,
        refused,
    )
    return Gateway(pipeline, decisions, local, windows, outcomes, results, refused)


def of_models(models: Path) -> Callable[[], Classifier]:
    return lambda: Classifier(models)


@dataclass
class Node:
    """How a stand-in for an inference service behaves."""

    status: str = "ok"
    takes_s: float = 0.005
    """At least the 3 ms that its answer reports."""
    hangs: bool = False


@asynccontextmanager
async def serving(bus: Bus, **nodes: str | Node) -> AsyncIterator[list[tuple[str, str]]]:
    """Nodes that answer so, `cam_1` for `cam-1`; yields (node, variant) of each request."""
    requested: list[tuple[str, str]] = []
    over = asyncio.Event()
    known = {
        name.replace("_", "-"): Node(status=node) if isinstance(node, str) else node
        for name, node in nodes.items()
    }

    async def classify(raw: RawRequest) -> Classification:
        node = raw.subject.rpartition(".")[2]
        requested.append((node, raw.headers["Variant"]))
        if known[node].hangs:
            await over.wait()
        await asyncio.sleep(known[node].takes_s)
        label = Label(name=raw.body.decode(errors="replace")[:40], probability=0.5)
        return Classification.model_validate(
            {"node": node, "status": known[node].status, "compute_ms": 2, "queue_ms": 1,
             "labels": (label,)}
        )  # fmt: skip

    async with responding(bus, "nodes") as responder:
        for name in known:
            await responder.serve_raw(f"inference.v1.{name}", classify, name=name.replace("-", "_"))
        try:
            yield requested
        finally:
            over.set()


def opened() -> Round:
    """A round for `cam-1`."""
    return Round(number=4, devices=("cam-1",), policy="explore")
