"""What an outsider must know beyond the fields: how to take part, in words and one table.

`tercet.schemas.asyncapi` puts this into the AsyncAPI document. Everything is said from the outsider's
point of view: `send` is what an outsider publishes, `receive` what it may subscribe to.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

GUIDE = """\
Tercet decides, for every inference request of every device, where it runs and with which model
variant, so that the average response time is least while the average accuracy meets a goal. An
option is written `variant@tier`: `d3@L` runs variant d3 on the device (local), `d0@E` runs d0 on
the device's home edge, `d0@C` in the cloud. Variants are d0 to d7; edge and cloud run d0.

This document describes an **outsider**: `send` is what you publish, `receive` is what you may
subscribe to. Any NATS client in any language will do; nothing of Tercet need be installed.

## How a fleet takes part

1. For each node (device, edge or cloud) publish `capability.v1.<node>` once at start: its tier, a
   device's home edge, and the accuracy and measured time of each variant it can run. A device is
   known from then on. An option is offered when every device (or every edge, or the cloud) that
   ever introduced itself can run it. There is one cloud.
2. For each node publish `telemetry.v1.<node>` once a second. Report the background, without the
   load of your own inference. A device that is silent for 5 s counts as gone until it speaks
   again; one that says `leaving` is gone at once.
3. Hear `round.v1`. A round names the devices that are to make one request each, at once.
4. For each of your devices that it names, ask `request.v1.<device>` (request/reply) with `round_id`
   and `cause` set to the round's `id`. The reply is a Decision: `option` says with which variant,
   `node` says where. Do not wait without bound; half a second is plenty. Without a decision do as
   you think best and say so in the outcome's `fallback`.
5. Run it: on the device, or by sending the JPEG to `inference.v1.<node>`, or by whatever means your
   nodes have among themselves. Only nodes that take pictures from others serve `inference.v1`.
6. Publish `outcome.v1.<device>`: `response_ms` from asking to labels, `executed` what really ran,
   `cause` the decision's `id`, `round` and `round_id` those of the round. Set `simulated` if times
   are virtual. A round closes when all its devices have reported, or at a time-out (5 s unless the
   operator says otherwise); what comes later is stored but not learned from.

From each closed round the system learns; `experience.v1.real` shows what. Outside of rounds a
device may ask whenever it likes and is told the assignment in force.

## What is kept

Messages marked *kept* must be published to JetStream: wait for the stream's acknowledgement, and
publish again with the same `Nats-Msg-Id` until it comes; a stream stores one id once. The rest is
plain publish. `Nats-Msg-Id` is the message's `id`. Derive the id of a consequence from its cause (a
version 5 UUID, say), so that saying it twice is harmless. Each channel names the stream that keeps
it; a durable consumer of your own on `DECISIONS` replays all decisions.

## When something is wrong

A message that does not fit its schema is put aside on `dead.<subject>` with the header `Reason`;
plain messages get no other answer. A request that cannot be answered gets an empty reply with the
headers `Nats-Service-Error` and `Nats-Service-Error-Code`: 400 means never, 429 too often, 503 not
now, for instance when the device has not yet said what it can do. Within one version fields are
only added: ignore those you do not know.
"""

PARAMETERS = {
    "device": "name of a device: letters, digits, - and _, at most 64",
    "node": "name of a device, an edge or the cloud: letters, digits, - and _, at most 64",
    "owner": "who learns: policy, or member-0..member-4 (learning.v1 also: decider)",
    "worker": "name of a world-model worker",
    "service": "device, inference or monitor",
}

STREAMS = {
    "capability.v1": "CAPABILITY",
    "telemetry.v1": "TELEMETRY",
    "decision.v1": "DECISIONS",
    "outcome.v1": "OUTCOMES",
    "experience.v1.real": "EXPERIENCE",
    "experience.v1.planned": "PLANNED",
    "plan.v1": "PLAN",
    "goal.v1": "STEERING",
    "exploration.v1": "STEERING",
    "policy.v1": "STEERING",
    "reset.v1": "STEERING",
}
"""Type to the JetStream stream that keeps it; a test compares it with the declared topology."""


@dataclass(frozen=True)
class Operation:
    """One thing that an outsider does with one type of message."""

    name: str
    action: Literal["send", "receive"]
    kind: str
    summary: str


OPERATIONS = (
    Operation("sayCapability", "send", "capability.v1", "Say what a node can run; once at start."),
    Operation("sayTelemetry", "send", "telemetry.v1", "Say how a node is; once a second."),
    Operation("hearRound", "receive", "round.v1", "Hear that the named devices make a request."),
    Operation("askDecision", "send", "request.v1", "Ask where and with which variant to run."),
    Operation("askInference", "send", "inference.v1", "Have a picture classified by a node."),
    Operation("answerInference", "receive", "inference.v1", "Classify pictures, as a node."),
    Operation("sayOutcome", "send", "outcome.v1", "Report how long one request took."),
    Operation("hearDecision", "receive", "decision.v1", "Listen to every decision."),
    Operation("hearOutcome", "receive", "outcome.v1", "Listen to every measured response time."),
    Operation("askWhy", "send", "explain.v1", "Ask why a device is told what it is told."),
    Operation("hearWhy", "receive", "explanation.v1", "The reply to explain.v1; nowhere else."),
    Operation("hearLearning", "receive", "learning.v1", "Listen to how learning goes."),
    Operation("hearTruth", "receive", "truth.v1", "In a simulated world: optimum and regret."),
    Operation("hearExploration", "receive", "exploration.v1", "Hear that exploring is paused."),
    Operation("hearGoal", "receive", "goal.v1", "Hear that the operator changed the goal."),
    Operation("hearExperience", "receive", "experience.v1.real", "Listen to what rounds taught."),
)
"""A type that is missing here is traffic between the system's own parts; one may listen to it."""

_IDENTITY = {
    "traceparent": {
        "type": "string",
        "description": "W3C trace context, optional: services pass it on to what a message led to",
    },
    "Nats-Msg-Id": {
        "type": "string",
        "format": "uuid",
        "description": "the message's `id`; a stream stores one id once",
    },
}

HEADERS: dict[str, dict[str, Any]] = {
    "Headers": {"type": "object", "properties": _IDENTITY},
    "KeptHeaders": {"type": "object", "required": ["Nats-Msg-Id"], "properties": _IDENTITY},
    "PictureHeaders": {
        "type": "object",
        "required": ["Variant"],
        "properties": {
            "Variant": {"type": "string", "description": "d0..d7", "examples": ["d0"]},
            "Cause": {"type": "string", "format": "uuid", "description": "`id` of the decision"},
        },
    },
    "ServiceErrorHeaders": {
        "type": "object",
        "required": ["Nats-Service-Error", "Nats-Service-Error-Code"],
        "properties": {
            "Nats-Service-Error": {"type": "string", "description": "why, in one line"},
            "Nats-Service-Error-Code": {"type": "string", "description": "400, 429, 500 or 503"},
        },
    },
}
"""JSON Schemas of the NATS headers, by name."""

BY_HAND: dict[str, dict[str, Any]] = {
    "Picture": {
        "title": "Picture",
        "summary": "A JPEG as it is: the body is the file.",
        "contentType": "image/jpeg",
        "headers": {"$ref": "#/components/schemas/PictureHeaders"},
        "payload": {"type": "string", "format": "binary", "description": "at most 1 MB"},
    },
    "ServiceError": {
        "title": "ServiceError",
        "summary": "The request cannot be answered; the body is empty.",
        "headers": {"$ref": "#/components/schemas/ServiceErrorHeaders"},
    },
}
"""Messages that are not JSON, and so have no class."""

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
        "round": 12,
        "round_id": _ROUND,
    },
}
"""One message of each type that a fleet sends."""
