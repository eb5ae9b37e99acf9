"""Create the streams, durables and buckets of `tercet.messaging.topology` on a broker.

`python -m tercet.messaging.declare` does so on the broker at TERCET_BUS_URL; it is idempotent.
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace
from typing import Annotated

from nats.js import JetStreamContext
from nats.js.api import (
    ExternalStream,
    KeyValueConfig,
    RePublish,
    StreamConfig,
    StreamSource,
)
from nats.js.errors import NotFoundError
from pydantic import Field
from pydantic_settings import SettingsConfigDict

from tercet.messaging import stream_changes
from tercet.messaging.bus import connect
from tercet.messaging.nats_errors import NATS_ERRORS
from tercet.messaging.topology import BUCKETS, CAPTURED, DURABLES, LIVE, STREAMS
from tercet.process import log
from tercet.process.errors import Misconfigured
from tercet.process.settings import NODE, BusSettings, read


class TopologySettings(BusSettings):
    """What may differ between installations."""

    model_config = SettingsConfigDict(populate_by_name=True)

    replicas: int = Field(1, ge=1, le=5)
    """Copies of each stream, on as many servers of a cluster."""
    edge_domain: str | None = Field(None, pattern=NODE, validation_alias="TERCET_SITE")
    """Name of an edge with a broker of its own: declare its streams; unset: those of the hub."""
    edge_domains: tuple[Annotated[str, Field(pattern=NODE)], ...] = Field(
        (), validation_alias="TERCET_SITES"
    )
    """On the hub, as JSON: edges (JetStream domains) whose streams it sources."""
    streams: dict[str, dict[str, float]] = Field(default_factory=dict)
    """Other limits, as JSON: stream to `max_age` (s), `max_bytes`, `per_subject`, `duplicates`."""


ADJUSTABLE = ("max_age", "max_bytes", "per_subject", "duplicates")


def adjusted(settings: TopologySettings) -> list[StreamConfig]:
    """Return the table with the configured limits; raises Misconfigured for an unknown name."""
    for name, limits in settings.streams.items():
        if name not in STREAMS:
            raise Misconfigured(f"TERCET_STREAMS: no stream {name}; one of {', '.join(STREAMS)}")
        if unknown := limits.keys() - set(ADJUSTABLE):
            raise Misconfigured(f"TERCET_STREAMS: {name}: {sorted(unknown)[0]} is not a limit")
    configs = []
    for stream in STREAMS.values():
        if settings.edge_domain and stream.name not in CAPTURED:
            continue
        limits = settings.streams.get(stream.name, {})
        config = replace(
            stream,
            max_age=limits.get("max_age", stream.max_age),
            max_bytes=int(limits.get("max_bytes", stream.max_bytes)),
            per_subject=int(limits.get("per_subject", stream.per_subject)),
            duplicates=limits.get("duplicates", stream.duplicates),
        ).config()
        config.num_replicas = settings.replicas
        configs.append(_linked(config, settings))
    return configs


def _linked(config: StreamConfig, settings: TopologySettings) -> StreamConfig:
    """Link a stream between brokers: an edge republishes it, the hub sources it from the edges.

    The republished copy serves live subscribers at the hub. Sourcing transfers the stored messages,
    and continues where it stopped when a link fails.
    """
    if settings.edge_domain:
        config.republish = RePublish(src=">", dest=f"{LIVE}>")
    elif settings.edge_domains and config.name in CAPTURED:
        config.sources = [
            StreamSource(name=config.name, external=ExternalStream(api=f"$JS.{domain}.API"))
            for domain in settings.edge_domains
        ]
    return config


async def declare(
    js: JetStreamContext, settings: TopologySettings | None = None, *, force: bool = False
) -> list[str]:
    """Create or update all streams, durables and buckets; return one line per change.

    Idempotent. Raises Misconfigured, and changes nothing, when a limit would delete stored
    messages, unless `force`.
    """
    settings = settings or TopologySettings()
    configs = adjusted(settings)
    try:
        await js.account_info()
    except NATS_ERRORS as error:
        raise Misconfigured(f"the broker offers no JetStream: {error}") from error
    if not force:
        for config in configs:
            if loss := await stream_changes.describe_loss(js, config):
                raise Misconfigured(f"{loss}; --force to do so all the same")
    changes = [change for config in configs if (change := await _put_stream(js, config))]
    if settings.edge_domain:
        return changes  # Training and deciding take place at the hub.
    for durable in DURABLES.values():
        await js.add_consumer(durable.stream, durable.config())
    for bucket, reason in BUCKETS.items():
        try:
            await js.key_value(bucket)
        except NotFoundError:
            await js.create_key_value(
                KeyValueConfig(bucket, description=reason, history=5, replicas=settings.replicas)
            )
            changes.append(f"created bucket {bucket}")
    return changes


async def _put_stream(js: JetStreamContext, config: StreamConfig) -> str | None:
    assert config.name is not None, "every stream of the table has a name"
    try:
        present = (await js.stream_info(config.name)).config
    except NotFoundError:
        await js.add_stream(config)
        return f"created stream {config.name}"
    differences = stream_changes.differences(present, config)
    if not differences:
        return None
    await js.update_stream(config)
    return f"changed stream {config.name}: {', '.join(differences)}"


async def main() -> None:
    """Declare the topology on the configured broker."""
    settings = read(TopologySettings)
    async with connect(settings, "topology") as bus:
        for change in await declare(bus.js, settings):
            log.get(__name__).info("declared", change=change)


if __name__ == "__main__":
    log.configure("topology")
    try:
        asyncio.run(main())
    except Misconfigured as error:
        log.get(__name__).error("misconfigured", reason=str(error))
        sys.exit(2)
