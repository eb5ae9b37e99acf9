"""From a role to the subjects that its user may publish and subscribe to: an allow-list.

Replies need no permission of their own: a responder may answer what it received
(allow_responses).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import get_args

from tercet.messaging.roles import Role
from tercet.messaging.topology import DURABLES, LIVE, STREAMS, captured, stream_of
from tercet.schemas.claim import Claim
from tercet.schemas.fleet import Tier

MICRO = ("$SRV.PING", "$SRV.INFO", "$SRV.STATS")
"""Subjects of a micro service: for all services, for its name, and for its id."""
ANSWER_WITHIN = "15s"
"""Time in which a reply is permitted; longer than any request waits."""


@dataclass(frozen=True)
class Rights:
    """Subjects of one user, wildcards included."""

    publish: tuple[str, ...]
    subscribe: tuple[str, ...]
    answers: bool
    """Whether it may publish to the reply subject of requests that it received."""


def rights(
    role: Role,
    user: str,
    *,
    node: str = "",
    home: str = "",
    cloud: str = "",
    allowed: Collection[Tier] = get_args(Tier),
) -> Rights:
    """Return the rights of one user of a role; its private inbox is `_INBOX_<user>.>`.

    `allowed` are the tiers that pictures of its node may reach.
    """
    names = {"node": node, "home": home or node, "cloud": cloud}

    def named(subjects: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(subject.format_map(names) for subject in subjects)

    subscribes, serves = named(role.subscribes), named(role.serves)
    claim = (Claim.pattern(service=role.name, node=node),) if role.locks_name else ()
    consumed = tuple(
        subject
        for durable in role.durables
        for subject in STREAMS[DURABLES[durable].stream].subjects
    )
    received = (*subscribes, *serves, *consumed)
    publish = (
        *named(role.publishes),
        *named(tuple(subject for tier, subject in role.sends_to if tier in allowed)),
        *claim,
        *(f"dead.{subject}" for subject in received if not subject.startswith("dead.")),
        *(
            f"$JS.API.DIRECT.GET.{stream_of(subject)}.{subject}"
            for subject in named(role.reads_last)
        ),
        *(right for stream in role.streams for right in _reading(stream)),
        *(right for bucket in role.buckets for right in _reading_bucket(f"KV_{bucket}")),
        *(right for durable in role.durables for right in _consuming(durable)),
    )
    live = tuple(LIVE + subject for subject in subscribes if captured(subject))
    micro = tuple(f"{verb}{rest}" for verb in MICRO for rest in ("", ".>")) if serves else ()
    return Rights(
        publish=tuple(dict.fromkeys(publish)),
        subscribe=tuple(
            dict.fromkeys((*subscribes, *live, *serves, *claim, *micro, f"{inbox(user)}.>"))
        ),
        answers=bool(serves or claim),
    )


def inbox(user: str) -> str:
    """Return the subject prefix for replies to a user; no other user may subscribe to it."""
    return f"_INBOX_{user}"


def _reading(stream: str) -> tuple[str, ...]:
    return (
        f"$JS.API.STREAM.INFO.{stream}",
        f"$JS.API.DIRECT.GET.{stream}",
        f"$JS.API.DIRECT.GET.{stream}.>",
    )


def _reading_bucket(bucket: str) -> tuple[str, ...]:
    """As `_reading`; nats-py reads a key from the stream's leader, as a replica may lag."""
    return (*_reading(bucket), f"$JS.API.STREAM.MSG.GET.{bucket}")


def _consuming(durable: str) -> tuple[str, ...]:
    stream = DURABLES[durable].stream
    return (
        f"$JS.API.CONSUMER.INFO.{stream}.{durable}",
        f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{durable}",
        f"$JS.ACK.{stream}.{durable}.>",
    )
