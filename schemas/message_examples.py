"""One message of each type that a fleet publishes, for the AsyncAPI document."""

from __future__ import annotations

from typing import Any

_ID = "6f1c2a34-5b6d-4e7f-8a9b-0c1d2e3f4a5b"
_ROUND = "0d9b6a1e-7c55-4a0e-9f0e-3b8a4c2d1e6f"
_DECISION = "b7a5d0c2-1f3e-4d5c-8b6a-9e8f7d6c5b4a"
_AT = "2026-01-31T12:00:00Z"

EXAMPLES: dict[str, dict[str, Any]] = {
    "capability.v1": {
        "type": "capability.v1",
        "id": _ID,
        "at": _AT,
        "node": "camera-1",
        "tier": "device",
        "home": "gate",
        "accuracy_pct": {"d0": 89.9, "d3": 74.2},
        "profile_ms": {"d0": 104.0, "d3": 14.0},
    },
    "telemetry.v1": {
        "type": "telemetry.v1",
        "id": _ID,
        "at": _AT,
        "node": "camera-1",
        "condition": {"cpu": 0.05, "memory": 0.4, "link_ms": 2.5, "weak": False},
    },
    "request.v1": {
        "type": "request.v1",
        "id": _ID,
        "at": _AT,
        "cause": _ROUND,
        "device": "camera-1",
        "round_id": _ROUND,
    },
    "outcome.v1": {
        "type": "outcome.v1",
        "id": _ID,
        "at": _AT,
        "cause": _DECISION,
        "device": "camera-1",
        "node": "gate",
        "assigned": "d0@E",
        "executed": "d0@E",
        "response_ms": 48.2,
        "window": 12,
    },
}
"""One message of each type that a fleet publishes."""
