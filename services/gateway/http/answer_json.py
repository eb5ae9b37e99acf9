"""An answer as JSON values and headers, which all formats share."""

from __future__ import annotations

from tercet.services.gateway.application import Answer

Json = dict[str, object]


def origin(answer: Answer) -> Json:
    """Where the answer is from: option, node, decision, window, and the request's id."""
    return {
        "request": str(answer.request),
        "option": answer.option,
        "node": answer.node,
        "decision": None if answer.decision is None else str(answer.decision),
        "window": answer.window,
    }


def parts(answer: Answer) -> Json:
    """Where the time went, ms."""
    return {
        "network_ms": round(answer.network_ms, 3),
        "queue_ms": round(answer.queue_ms, 3),
        "compute_ms": round(answer.compute_ms, 3),
    }


def timing_headers(answer: Answer) -> dict[str, str]:
    """`Server-Timing`, as browsers and proxies show it."""
    times = {
        "network": answer.network_ms,
        "queue": answer.queue_ms,
        "compute": answer.compute_ms,
        "total": answer.response_ms,
    }
    return {"Server-Timing": ", ".join(f"{name};dur={ms:.3f}" for name, ms in times.items())}
