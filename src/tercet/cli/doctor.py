"""`tercet doctor`: faults of a running system, each with advice."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import asdict

from tercet.cli.diagnostics import CHECKS, disk, models
from tercet.cli.finding import Finding
from tercet.cli.output import Json, as_json, show
from tercet.cli.running_system import Url, bus_at, find
from tercet.cli.usage_error import UsageError
from tercet.messaging.nats_errors import NATS_ERRORS
from tercet.process.errors import Misconfigured, ServiceError

EPILOG = (
    "Examples: [bold]tercet doctor[/] exits with 1 when something is wrong. "
    "[bold]tercet doctor --json[/] prints its findings."
)


def doctor(bus: Url = None, json: Json = False) -> None:
    """Check broker, streams, clocks, services, fleet, models and disk; advise what to do."""
    findings = asyncio.run(_examine(bus))
    healthy = all(finding.verdict != "wrong" for finding in findings)
    if json:
        as_json({"healthy": healthy, "findings": [asdict(finding) for finding in findings]})
    else:
        columns = ("check", "result", "found", "advice")
        rows = [(f.check, f.verdict, f.found, f.advice) for f in findings]
        show("healthy" if healthy else "not healthy", columns, rows)
    if not healthy:
        sys.exit(1)


async def _examine(url: str | None) -> list[Finding]:
    """The findings of all checks; one that fails does not end the others."""
    try:
        find(url)
    except UsageError as error:
        local = [Finding("broker", "wrong", str(error), "tercet up, or name one with --bus")]
        return local + await models() + await disk()
    try:
        async with bus_at(url) as bus:
            findings: list[Finding] = []
            for name, check in CHECKS.items():
                try:
                    findings += await check(bus)
                except (*NATS_ERRORS, ServiceError) as error:
                    advice = "see the findings above"
                    findings.append(Finding(name, "wrong", str(error), advice))
            return findings
    except Misconfigured as error:
        advice = "is it running, is the address right, does a firewall block it?"
        unreachable = [Finding("broker", "wrong", str(error), advice)]
        return unreachable + await models() + await disk()
