"""Traces: the W3C header `traceparent` travels with messages, so a request can be followed.

Only the OpenTelemetry API is needed. Without an SDK nothing is recorded, and an incoming header
is copied to the messages that follow from it. With an SDK (extra `tracing`, and
OTEL_TRACES_EXPORTER set to `otlp` or `console`) each step of a request is a span.
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
def span(
    name: str, headers: Mapping[str, str] | None = None, kind: SpanKind = SpanKind.CONSUMER
) -> Iterator[None]:
    """Open a span in the trace that `headers` name, in the current trace, or in a new one.

    Does nothing when there is neither a header nor an SDK. An invalid header is ignored, as W3C
    asks.
    """
    has_header = headers is not None and HEADER in headers
    if not has_header and not _recording():
        yield
        return
    parent = _w3c.extract(headers) if has_header and headers is not None else None
    with _tracer.start_as_current_span(name, context=parent, kind=kind):
        yield


def with_traceparent(headers: dict[str, str] | None) -> dict[str, str] | None:
    """Return the headers of an outgoing message, with the current trace if there is one."""
    if not trace.get_current_span().get_span_context().is_valid:
        return headers
    carrier = dict(headers or {})
    _w3c.inject(carrier)
    return carrier


def configure(service: str, node: str = "") -> None:
    """Record spans when the environment asks for it; raises Misconfigured if that cannot work."""
    wanted = os.environ.get(EXPORTER, "")
    if wanted in ("", "none"):
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
        if wanted == "console":
            exporter = ConsoleSpanExporter(formatter=lambda span: span.to_json(indent=None) + "\n")
        elif wanted == "otlp":
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

            exporter = OTLPSpanExporter()
        else:
            raise Misconfigured(f"{EXPORTER}: {wanted!r} is none of otlp, console, none")
    except ModuleNotFoundError as error:
        raise Misconfigured(f"{EXPORTER}: pip install 'tercet[tracing]' ({error})") from error
    facts = {"service.name": f"tercet-{service}", **({"host.name": node} if node else {})}
    provider = TracerProvider(resource=Resource.create(facts))
    provider.add_span_processor(BatchSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    _log.info("tracing enabled", exporter=wanted)


def _recording() -> bool:
    return not isinstance(trace.get_tracer_provider(), ProxyTracerProvider)
