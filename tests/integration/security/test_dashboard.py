"""The dashboard on a secured broker: its rights suffice; changes need another right."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from tercet.messaging import broker
from tercet.messaging.bus import connect
from tercet.messaging.operator_settings import read_goal
from tercet.process.child import with_parent_death_signal
from tests.integration.security.conftest import Secured


@contextmanager
def dashboard(secured: Secured, user: str, log: Path) -> Iterator[int]:
    """A dashboard with one user's rights; yields its port once it listens."""
    port = broker.free_port()
    settings = {
        "TERCET_BUS_URL": secured.url,
        "TERCET_BUS_CREDENTIALS": str(secured.key(user)),
        "TERCET_BUS_CA": str(secured.folder / "ca" / "ca.pem"),
        "TERCET_DASHBOARD_PORT": str(port),
    }
    with log.open("wb") as sink:
        process = subprocess.Popen(
            with_parent_death_signal([sys.executable, "-m", "tercet.services.dashboard"]),
            env={**os.environ, **settings},
            stderr=sink,
        )
    deadline = time.monotonic() + 30
    while b'"listening"' not in log.read_bytes():
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, "the dashboard did not listen"
        time.sleep(0.02)
    try:
        yield port
    finally:
        process.terminate()
        process.wait(timeout=10)


def post_goal(port: int, goal: str) -> tuple[int, str]:
    body, kind = json.dumps({"goal": goal, "by": "ann"}), {"Content-Type": "application/json"}
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        connection.request("POST", "/api/goal", body, kind)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


async def test_a_dashboard_changes_the_goal_only_with_the_right(
    declared: Secured, tmp_path: Path
) -> None:
    log = tmp_path / "steering.log"
    with dashboard(declared, "steering-dashboard", log) as port:
        assert post_goal(port, "80")[0] == 200
    assert "violation" not in log.read_text().lower()
    log = tmp_path / "watching.log"
    with dashboard(declared, "dashboard", log) as port:
        assert "violation" not in log.read_text().lower()
        status, answer = post_goal(port, "70")
        assert (status, "nothing was changed" in answer) == (503, True)
    async with connect(declared.settings("operator"), "operator") as bus:
        goal = await read_goal(bus)
    assert goal is not None
    assert goal.goal == "80"
