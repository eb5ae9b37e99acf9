"""The checks of `tercet doctor`: each returns what it found, with advice."""

from __future__ import annotations

import os
import shutil
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from platformdirs import user_state_path

from tercet.cli.finding import Finding
from tercet.cli.fleet_check import fleet
from tercet.messaging import clock_skew, declare, inspection, stream_changes
from tercet.messaging.bus import Bus
from tercet.messaging.nats_errors import NATS_ERRORS
from tercet.messaging.stream_reader import first_sequence_since, last_per_subject
from tercet.models import families
from tercet.models.errors import AssetError
from tercet.models.manifest import Manifest, default_directory, load
from tercet.process.errors import NoAnswer
from tercet.schemas.capability import Capability
from tercet.schemas.telemetry import Telemetry

SKEWED = 1.0
"""Seconds that a clock may differ before it is reported."""
TELEMETRY_TIMEOUT_S = 5.0
"""Seconds without telemetry after which a node is reported."""
FULL = 0.9
"""Share of a stream's bytes above which it is reported: its oldest messages are deleted next."""
LAGGING = 100
"""Undelivered messages of a durable above which it is reported."""
FREE_MIB = 1024.0
"""Free disk space below which it is reported."""
MIB = 1024 * 1024


Check = Callable[[Bus], Awaitable[list[Finding]]]


async def broker(bus: Bus) -> list[Finding]:
    """Does the broker answer, and does it store streams?"""
    try:
        trip = await bus.round_trip()
        account = await bus.js.account_info()
    except NoAnswer:
        return [Finding("broker", "wrong", "connection lost", "is its process alive? see its log")]
    except NATS_ERRORS as error:
        return [Finding("broker", "wrong", f"no JetStream: {error}", "start it with --jetstream")]
    limit, used = account.limits.max_storage, account.storage
    room = f"{used / MIB:.0f} MiB stored" + (f" of {limit / MIB:.0f}" if limit > 0 else "")
    full = limit > 0 and used > FULL * limit
    advice = "raise its max_file_store, or lower streams' max_bytes" if full else ""
    version = bus.client.connected_server_version
    found = f"nats-server {version}, {trip:.1f} ms away, {room}"
    return [Finding("broker", "look" if full else "ok", found, advice)]


async def streams(bus: Bus) -> list[Finding]:
    """Are all streams and durables of the topology declared, and is there room?"""
    found = []
    for config in declare.adjusted(declare.TopologySettings()):
        name = config.name or ""
        try:
            info = await bus.js.stream_info(name)
        except NATS_ERRORS:
            found.append(Finding(name, "wrong", "not declared", "tercet topology apply"))
            continue
        differs = stream_changes.differences(info.config, config)
        limit = info.config.max_bytes or -1
        share = info.state.bytes / limit if limit > 0 else 0.0
        fill = f"{info.state.messages} messages, {share:.0%} full"
        if differs:
            found.append(Finding(name, "look", f"{fill}; {differs[0]}", "tercet topology apply"))
        elif share > FULL:
            found.append(
                Finding(
                    name, "look", fill, "its oldest are deleted next; TERCET_STREAMS sets max_bytes"
                )
            )
        else:
            found.append(Finding(name, "ok", fill))
    for row in await inspection.consumers(bus):
        if row.get("missing"):
            found.append(Finding(row["name"], "wrong", "no durable", "tercet topology apply"))
        elif row["lag"] > LAGGING:
            advice = "is its service alive, and fast enough? more workers: tercet up --workers"
            found.append(Finding(row["name"], "look", f"{row['lag']} messages behind", advice))
    return found


async def clock(bus: Bus) -> list[Finding]:
    """Do the clocks agree? Outcomes and decisions are ordered by them."""
    ours = await clock_skew.of_this_host(bus)
    if ours is None:
        return [Finding("clock", "look", "the broker does not report its time")]
    now = datetime.now(UTC)
    reporting = {
        t.node for t in await last_per_subject(bus, Telemetry) if (now - t.at).total_seconds() < 60
    }
    skews = [ours, *(s for s in await clock_skew.of_nodes(bus) if s.node in reporting)]
    wrong = [s for s in skews if abs(s.ahead_s) > SKEWED + s.uncertainty_s]
    listed = [
        Finding(
            f"clock of {s.node}",
            "look",
            f"{abs(s.ahead_s):.1f} s {'ahead of' if s.ahead_s > 0 else 'behind'} the broker's",
            "synchronise it (chrony, ntpd); a node that is far behind may also be disconnected",
        )
        for s in wrong
    ]
    widest = max(abs(s.ahead_s) for s in skews)
    return listed or [Finding("clocks", "ok", f"{len(skews)} within {widest:.2f} s")]


async def services(bus: Bus) -> list[Finding]:
    """Does exactly one orchestrator decide, and do the nodes report?"""
    names = [service["name"] for service in await inspection.services(bus)]
    deciders = names.count("orchestrator")
    found = []
    if deciders == 1:
        found.append(Finding("orchestrator", "ok", "one decides"))
    else:
        advice = "tercet up, or docker compose up" if not deciders else "stop all but one"
        found.append(Finding("orchestrator", "wrong", f"{deciders} decide", advice))
    now = datetime.now(UTC)
    age = {t.node: (now - t.at).total_seconds() for t in await last_per_subject(bus, Telemetry)}
    nodes = [c.node for c in await last_per_subject(bus, Capability)]
    missing = [n for n in nodes if age.get(n, 1e9) > TELEMETRY_TIMEOUT_S]
    if missing:
        advice = "is the node on, its monitor alive, its broker connected?"
        found.append(Finding("nodes", "look", f"no telemetry: {', '.join(missing[:8])}", advice))
    else:
        found.append(Finding("nodes", "ok" if nodes else "look", f"{len(nodes)} report"))
    return found


async def dead_letters(bus: Bus) -> list[Finding]:
    """Which messages could not be processed in the last hour?"""
    try:
        state = (await bus.js.stream_info("DEAD")).state
    except NATS_ERRORS:
        return []
    since = await first_sequence_since(bus, "DEAD", datetime.now(UTC) - timedelta(hours=1))
    count = max(state.last_seq + 1 - since, 0) if state.messages else 0
    if not count:
        return [Finding("buried", "ok", "nothing in the last hour")]
    worst = (await inspection.dead_letters(bus))[0]
    found = f"{count} in the last hour; most: {worst['subject']}: {worst['reason']}"
    return [Finding("buried", "look", found, "correct the sender; tercet status lists the reasons")]


async def models(_: Bus | None = None) -> list[Finding]:
    """Are the model families of this host complete and unchanged?"""
    directory = _models()
    try:
        found = [load(place) for place in families.directories(directory).values()]
        families.check_distinct(found)
    except AssetError as error:
        advice = "correct it, or remove what is damaged and install it again"
        return [Finding("models", "wrong", str(error), advice)]
    if not found:
        return [Finding("models", "look", f"{directory} holds none", "tercet up builds them")]
    return [_family(one) for one in found]


def _family(manifest: Manifest) -> Finding:
    weights = "seeded, untrained" if manifest.untrained else "trained"
    facts = f"{manifest.name}: {len(manifest.variants)} variants, {weights}"
    if doubts := manifest.doubts():
        return Finding("models", "look", f"{facts}; {doubts[0]}", "tercet models evaluate")
    return Finding("models", "ok", facts)


def _models() -> Path:
    """Model directory of the services of this host (`TERCET_MODELS`)."""
    configured = os.environ.get("TERCET_MODELS")
    return Path(configured) if configured else default_directory()


async def disk(_: Bus | None = None) -> list[Finding]:
    """Is there room on the disks of models and state?"""
    found = []
    for name, folder in (("models", _models()), ("state", user_state_path("tercet"))):
        existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
        free = shutil.disk_usage(existing).free / MIB
        low = free < FREE_MIB
        advice = f"make room on the disk of {existing}" if low else ""
        found.append(
            Finding(f"disk of {name}", "look" if low else "ok", f"{free:.0f} MiB free", advice)
        )
    return found


CHECKS: dict[str, Check] = {
    "broker": broker,
    "streams": streams,
    "clock": clock,
    "services": services,
    "fleet": fleet,
    "buried": dead_letters,
    "models": models,
    "disk": disk,
}
"""Name of a check, as reported, to the check."""
