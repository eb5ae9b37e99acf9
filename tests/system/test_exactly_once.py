"""Accounting under crashes: each service is killed once, each experience counts once."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable

import pytest

from tercet.messaging import broker
from tests.system.test_up import Run, up  # noqa: F401  (a fixture)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

KILLED = (
    ("tercet.services.orchestrator", "learn"),
    ("tercet.services.world_model",),
    ("tercet.services.orchestrator", "decide"),
    ("nats-server",),
)


def tercet(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tercet.cli", *arguments],
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


def rounds_of(run: Run) -> int:
    """Number of the last round that was printed."""
    shown = [line for line in run.output().splitlines() if line.startswith("round ")]
    return int(shown[-1].split()[1].partition("/")[0]) if shown else 0


def test_every_account_balances_after_each_service_was_killed_once(
    up: Callable[..., Run],  # noqa: F811
) -> None:
    port = broker.free_port()
    bus = f"--bus=nats://127.0.0.1:{port}"
    run = up("--world=paper-A", "--workers=2", "--speed=1000", f"--port={port}", "--staleness=1")
    for k, words in enumerate(KILLED):
        run.wait_until(lambda k=k: rounds_of(run) >= 40 * (k + 1), seconds=120)
        run.restart(*words)
    run.wait_until(lambda: rounds_of(run) >= 200, seconds=120)

    audit = tercet("audit", bus, "--json", "--settle=30")
    account = json.loads(audit.stdout)
    assert audit.returncode == 0, account
    assert account["stored"] >= 200
    assert account["doubled"] == 0
    assert len(account["accounts"]) == 6
    status = json.loads(tercet("status", bus, "--json").stdout)
    assert {p["owner"] for p in status["parameters"]} >= {"policy", "member-0", "member-4"}
    assert {lease["holder"] for lease in status["leases"]} - {""}
    assert all(lease["holder"] for lease in status["leases"])
    assert sum(s["name"] == "orchestrator" for s in status["services"]) == 1

    run.process.terminate()
    summary = run.end()
    assert summary["rounds"] >= 200
    assert summary["regret"] <= 0.01
