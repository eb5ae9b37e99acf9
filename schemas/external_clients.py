"""What an external client needs beyond the fields: how to take part, as text and as one table.

`tercet.schemas.asyncapi` puts this into the AsyncAPI document. Directions are those of the client:
`send` is what it publishes, `receive` what it may subscribe to.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

GUIDE = """\
Tercet decides, for every inference request of every device, where it runs and with which model
variant, so that the average response time is minimal while the average accuracy meets a goal. An
option is written `variant@tier`: `d3@L` runs variant d3 on the device (local), `d0@E` runs d0 on
the device's home edge, `d0@C` in the cloud. A node can run whatever its capability names.

This document describes an **external client**: `send` is what you publish, `receive` is what you
may subscribe to. Any NATS client in any language will do; nothing of Tercet need be installed.

## How a fleet takes part

1. For each node (device, edge or cloud) publish `capability.v1.<node>` once at start: its tier, a
   device's home edge, and the accuracy and measured time of each variant it can run. From then on
   a device belongs to the fleet. An option is offered when at least one device (or edge, or the
   cloud) that has published its capability can run it; a device is only assigned options that its
   own nodes can run. There is one cloud.
2. For each node publish `telemetry.v1.<node>` once a second. Report the background load, without
   that of your own inference. A device without telemetry for 5 s counts as absent until the next
   message; one that sends `leaving` is absent at once.
3. Follow `decision.v1.<device>`: it is published when it changes, and stays in force until the next
   one. `option` is the variant and tier, `node` the node that runs it, `alternatives` says where
   else, best first. Read the last one at start from the stream DECISIONS, or ask once with
   `request.v1.<device>` (request/reply); a device may also ask before every request.
4. Whenever a picture is to be classified, run it by the decision in force: on the device, by
   sending the JPEG to `inference.v1.<node>`, or by any means your nodes have among themselves.
   Where it fails, try the next alternative that your deadline allows. Only nodes that accept
   pictures from others serve `inference.v1`. Without a decision choose an option yourself, and
   give the reason in the outcome's `fallback`.
5. Publish `outcome.v1.<device>`: `response_ms` until the labels, `executed` the option that was
   run, `cause` the decision's `id`, `attempts` what was tried. Set `simulated` if times are
   virtual. Under high demand one outcome may report several requests (`count`).

How much a device asks for is measured from its outcomes; nothing else need be announced. A device
that is silent is not waited for.

## Windows, and rounds

The orchestrator announces a numbered window on `window.v1`, one a second. Copy the `number` of the
window in which a request arrived to the outcome's `window`, and set `straddled` if `assignment` has
changed before it ended. An outcome without a number is counted in the window in which its request
arrived, by the time of its publication and its `response_ms`. What comes more than twice as late as
the slowest outcome of late, or later than the deadline, counts as late: it is stored, and part of
the demand. An answer that takes longer than its deadline (`deadline_ms`, or 5 s) costs twice that.

With `TERCET_SCHEDULER=rounds` the orchestrator publishes `round.v1` instead: it names the devices
that are to make one request each, at once. Send `request.v1.<device>` with `round_id` and `cause`
set to the round's `id`, and copy `round` and `round_id` to the outcome. A round closes when all its
devices have reported, or after 5 s; a later outcome is not used for training. A device that has
missed some rounds is waited for no longer than the others took, until it reports again.

Each closed window or round is published as `experience.v2.real` and used for training; streams may
still hold `experience.v1.real` of older versions. An outcome that is impossible (parts larger than
the whole, longer than the time since its window or round began) is dead-lettered and not used for
training.

## Goals, tiers, and what is offered

The goal, a minimum average accuracy, is set with `tercet goal`, or by writing a `goal.v1` to the
key `goal` of the bucket `control` and publishing it on `goal.v1`. Options without an edge or a
cloud are those of the tiers that are there: a fleet of devices alone is decided for, too. `allowed`
in a device's capability limits its pictures to tiers. A second cloud is refused, with a dead letter
that says so, while the first one is present. `tercet doctor` names nodes for which nothing can be
decided, such as one whose variants have unknown names.

## Stored messages

Messages marked *kept* must be published to JetStream: wait for the stream's acknowledgement, and
publish again with the same `Nats-Msg-Id` until it comes; a stream stores one id once. All others
are published without acknowledgement. `Nats-Msg-Id` is the message's `id`. Derive the id of a
consequence from its cause (a version 5 UUID, for example), so that publishing it twice has no
effect. Each channel names the stream that stores it; a durable consumer of your own on `DECISIONS`
replays all decisions.

## Errors

A message that does not fit its schema is stored on `dead.<subject>` with the header `Reason`; a
published message gets no other answer. A request that cannot be answered gets an empty reply with
the headers `Nats-Service-Error` and `Nats-Service-Error-Code`: 400 for a request that can never be
answered, 429 for one above the device's rate, 503 for one that cannot be answered now, for instance
before the device has published its capability. Within one version fields are only added: ignore
those you do not know.
"""

PARAMETERS = {
    "device": "name of a device: letters, digits, - and _, at most 64",
    "node": "name of a device, an edge or the cloud: letters, digits, - and _, at most 64",
    "owner": "what is trained: policy, or member-0..member-4 (learning.v1 also: decider)",
    "worker": "name of a world-model worker",
    "service": "device, inference or monitor",
}

STREAMS = {
    "capability.v1": "CAPABILITY",
    "telemetry.v1": "TELEMETRY",
    "decision.v1": "DECISIONS",
    "window.v1": "WINDOWS",
    "outcome.v1": "OUTCOMES",
    "experience.v1.real": "EXPERIENCE",
    "experience.v2.real": "EXPERIENCE",
    "experience.v1.planned": "PLANNED",
    "plan.v1": "PLAN",
    "goal.v1": "STEERING",
    "exploration.v1": "STEERING",
    "policy.v1": "STEERING",
    "reset.v1": "STEERING",
}
"""Type to the JetStream stream that stores it; a test compares it with the topology."""


@dataclass(frozen=True)
class Operation:
    """One operation of an external client on one type of message."""

    name: str
    action: Literal["send", "receive"]
    kind: str
    summary: str


OPERATIONS = (
    Operation(
        "publishCapability", "send", "capability.v1", "Publish what a node can run; once at start."
    ),
    Operation(
        "publishTelemetry", "send", "telemetry.v1", "Publish a node's condition; once a second."
    ),
    Operation("receiveRound", "receive", "round.v1", "The named devices make a request now."),
    Operation("receiveWindow", "receive", "window.v1", "A window has begun; nothing is asked for."),
    Operation(
        "requestDecision", "send", "request.v1", "Request where and with which variant to run."
    ),
    Operation("requestInference", "send", "inference.v1", "Have a picture classified by a node."),
    Operation("answerInference", "receive", "inference.v1", "Classify pictures, as a node."),
    Operation("publishOutcome", "send", "outcome.v1", "Report how long one request took."),
    Operation(
        "receiveDecision", "receive", "decision.v1", "Every decision; the last one is in force."
    ),
    Operation("receiveOutcome", "receive", "outcome.v1", "Every measured response time."),
    Operation(
        "receiveResult",
        "receive",
        "result.v1",
        "The labels or boxes of every picture, and its source.",
    ),
    Operation(
        "requestExplanation", "send", "explain.v1", "Request the reasons of a device's decision."
    ),
    Operation(
        "receiveExplanation", "receive", "explanation.v1", "The reply to explain.v1; not published."
    ),
    Operation("receiveLearning", "receive", "learning.v1", "Progress of training."),
    Operation("receiveTruth", "receive", "truth.v1", "In a simulated world: optimum and regret."),
    Operation(
        "receiveExploration", "receive", "exploration.v1", "Exploration was paused or resumed."
    ),
    Operation("receiveGoal", "receive", "goal.v1", "The operator changed the goal."),
    Operation(
        "receiveExperience",
        "receive",
        "experience.v2.real",
        "The counts and sums of each closed round.",
    ),
)
"""Types that are missing here are internal; a client may subscribe to them all the same."""

_IDENTITY = {
    "traceparent": {
        "type": "string",
        "description": "W3C trace context, optional: services copy it to the messages that follow",
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
            "Variant": {"type": "string", "description": "name of a variant", "examples": ["d0"]},
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
        "summary": "A JPEG: the body is the file.",
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
