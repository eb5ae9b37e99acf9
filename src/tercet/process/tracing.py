"""Traces: the W3C header `traceparent` travels with messages, so a request can be followed.

Only the OpenTelemetry API is needed. Without an SDK nothing is recorded, and a header that comes
in goes on to whatever it leads to. With one (extra `tracing`, and OTEL_TRACES_EXPORTER set to
`otlp` or `console`) each step of a request is a span.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.trace import ProxyTracerProvider, SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from tercet.process import log
from tercet.process.errors import Misconfigured

HEADER = "traceparent"
EXPORTER = "OTEL_TRACES_EXPORTER"

_tracer = trace.get_tracer("tercet")
_w3c = TraceContextTextMapPropagator()
_log = log.get(__name__)


@contextmanager
def step(
    name: str, headers: Mapping[str, str] | None = None, kind: SpanKind = SpanKind.CONSUMER
) -> Iterator[None]:
    """Be one step of the trace that `headers` name, or of the present one, or begin one.

    Costs next to nothing while there is neither a header nor an SDK. A header that is none is
    ignored, as W3C asks.
    """
    named = headers is not None and HEADER in headers
    if not named and not _recording():
        yield
        return
    parent = _w3c.extract(headers) if named and headers is not None else None
    with _tracer.start_as_current_span(name, context=parent, kind=kind):
        yield


def onward(headers: dict[str, str] | None) -> dict[str, str] | None:
    """The headers of a message that is sent now: with the present trace, if there is one."""
    if not trace.get_current_span().get_span_context().is_valid:
        return headers
    carrier = dict(headers or {})
    _w3c.inject(carrier)
    return carrier


def configure(service: str, node: str = "") -> None:
    """Record spans when the environment asks for it; raises Misconfigured when it cannot be."""
    wish = os.environ.get(EXPORTER, "")
    if wish in ("", "none"):
        return
    try:
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import (
            BatchSpanProcessor,
            ConsoleSpanExporter,
            SpanExporter,
        )

        exporter: SpanExporter
        if wish == "console":
            exporter = ConsoleSpanExporter(formatter=lambda span: span.to_json(indent=None) + "\n")
        elif wish == "otlp":
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

            exporter = OTLPSpanExporter()
        else:
            raise Misconfigured(f"{EXPORTER}: {wish!r} is none of otlp, console, none")
    except ModuleNotFoundError as error:
        raise Misconfigured(f"{EXPORTER}: pip install 'tercet[tracing]' ({error})") from error
    facts = {"service.name": f"tercet-{service}", **({"host.name": node} if node else {})}
    provider = TracerProvider(resource=Resource.create(facts))
    provider.add_span_processor(BatchSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    _log.info("tracing", exporter=wish)


def _recording() -> bool:
    return not isinstance(trace.get_tracer_provider(), ProxyTracerProvider)
