"""From a role to the subjects a broker lets its user publish and subscribe: an allow-list, no more.

Replies need no right of their own: who answers may answer what it was asked (allow_responses).
"""

from __future__ import annotations

from dataclasses import dataclass

from tercet.messaging.roles import Role
from tercet.messaging.topology import DURABLES, LIVE, STREAMS, captured, stream_of
from tercet.schemas.claim import Claim

MICRO = ("$SRV.PING", "$SRV.INFO", "$SRV.STATS")
"""What a micro service hears, of all, of its name, and of its id."""
ANSWER_WITHIN = "15s"
"""Within this an answer must be given; longer than any request waits."""


@dataclass(frozen=True)
class Rights:
    """Subjects of one user, wildcards included."""

    publish: tuple[str, ...]
    subscribe: tuple[str, ...]
    answers: bool
    """Whether it may publish to the reply subject of what it was asked."""


def rights(role: Role, user: str, *, node: str = "", home: str = "", cloud: str = "") -> Rights:
    """The rights of one user of a role; `user` names its private inbox, `_INBOX_<user>.>`."""
    names = {"node": node, "home": home or node, "cloud": cloud}

    def named(subjects: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(subject.format_map(names) for subject in subjects)

    hears, answers = named(role.hears), named(role.answers)
    claim = (Claim.pattern(service=role.name, node=node),) if role.claims else ()
    consumed = tuple(
        subject
        for durable in role.durables
        for subject in STREAMS[DURABLES[durable].stream].subjects
    )
    heard = (*hears, *answers, *consumed)
    publish = (
        *named(role.says),
        *claim,
        *(f"dead.{subject}" for subject in heard if not subject.startswith("dead.")),
        *(f"$JS.API.DIRECT.GET.{stream_of(subject)}.{subject}" for subject in named(role.own)),
        *(right for stream in role.streams for right in _reading(stream)),
        *(right for bucket in role.buckets for right in _looking_up(f"KV_{bucket}")),
        *(right for durable in role.durables for right in _consuming(durable)),
    )
    live = tuple(LIVE + subject for subject in hears if captured(subject))
    micro = tuple(f"{verb}{rest}" for verb in MICRO for rest in ("", ".>")) if answers else ()
    return Rights(
        publish=tuple(dict.fromkeys(publish)),
        subscribe=tuple(
            dict.fromkeys((*hears, *live, *answers, *claim, *micro, f"{inbox(user)}.>"))
        ),
        answers=bool(answers or claim),
    )


def inbox(user: str) -> str:
    """Where replies to a user go, and nobody else may listen."""
    return f"_INBOX_{user}"


def _reading(stream: str) -> tuple[str, ...]:
    return (
        f"$JS.API.STREAM.INFO.{stream}",
        f"$JS.API.DIRECT.GET.{stream}",
        f"$JS.API.DIRECT.GET.{stream}.>",
    )


def _looking_up(bucket: str) -> tuple[str, ...]:
    """As `_reading`; nats-py asks the stream's leader for a key, where a copy might be behind."""
    return (*_reading(bucket), f"$JS.API.STREAM.MSG.GET.{bucket}")


def _consuming(durable: str) -> tuple[str, ...]:
    stream = DURABLES[durable].stream
    return (
        f"$JS.API.CONSUMER.INFO.{stream}.{durable}",
        f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{durable}",
        f"$JS.ACK.{stream}.{durable}.>",
    )
