"""A fleet in Node.js that runs free: what it reports is what is learned from.

The client is installed once by npm into pytest's cache, at the versions of `package-lock.json`.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import shutil
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tercet.messaging.bus import Bus
from tercet.messaging.stream_reader import replay
from tercet.process.child import with_parent_death_signal
from tercet.schemas.experience_v2 import Experience
from tercet.services.orchestrator.decide.service import decide
from tercet.services.orchestrator.learn.service import learn
from tercet.services.orchestrator.settings import OrchestratorSettings
from tests.conftest import Server
from tests.integration.messaging.test_bus import dead_letters

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

HERE = Path(__file__).parent / "node"
SECONDS = 30


@pytest.fixture(scope="session")
def node(pytestconfig: pytest.Config) -> tuple[str, Path]:
    """The interpreter, and a folder with the fleet and its client."""
    npm, interpreter = shutil.which("npm"), shutil.which("node")
    if npm is None or interpreter is None:
        pytest.skip("npm is not installed")
    assert pytestconfig.cache is not None
    digest = hashlib.sha256((HERE / "package-lock.json").read_bytes()).hexdigest()[:16]
    home = pytestconfig.cache.mkdir(f"outsider-{digest}")
    if not (home / "installed").exists():
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / name, home)
        command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        done = subprocess.run(command, cwd=home, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        (home / "installed").touch()
    shutil.copy(HERE / "fleet.mjs", home)
    return interpreter, home


async def test_it_takes_part_at_its_own_pace(
    bus: Bus, server: Server, node: tuple[str, Path]
) -> None:
    found, decided = await fleet_running(bus, server, node)
    stored = [e async for _, e in replay(bus, Experience)]
    joined = Counter[tuple[int, str]]()
    for experience in stored:
        assert experience.fleet.cloud == "sky" and experience.fleet.deadline_ms == 5000.0
        for requests in experience.requests:
            joined[experience.window, requests.device] += requests.count
    made = Counter((number, device) for device, own in found.items() for number in own if number)
    assert len(made) > SECONDS / 2
    unnumbered = sum(number is None for own in found.values() for number in own)
    assert made <= joined  # No outcome is left out...
    assert joined.total() <= made.total() + unnumbered  # ...and none is invented.
    assert await dead_letters(bus) == []
    rates = {r.device: r.demand for r in stored[-1].active}
    assert rates["cam-1"] > 4 * rates["cam-2"] > 0
    assert (stored[-1].policy_version or 0) > 5
    settled = [e for e in stored[len(stored) // 2 :] if e.greedy]
    usual = Counter(json.dumps(e.greedy, sort_keys=True) for e in settled).most_common(1)[0][0]
    accuracy = {device: option[:2] for device, option in json.loads(usual).items()}
    assert accuracy["cam-1"] == "d0"  # It asks ten times as often: its accuracy is the average.
    assert decided.keys() == {"cam-1", "cam-2"}


async def fleet_running(
    bus: Bus, server: Server, node: tuple[str, Path]
) -> tuple[dict[str, list[int | None]], dict[str, Any]]:
    """Run the fleet with the deciding and the training role; what it published."""
    settings = OrchestratorSettings(scheduler="windows", goal="85")
    interpreter, home = node
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(decide(bus, settings, stop))
        tasks.create_task(learn(bus, settings, stop))
        command = [interpreter, "fleet.mjs", server.url, str(SECONDS)]
        process = await asyncio.create_subprocess_exec(
            *with_parent_death_signal(command), cwd=home, stdout=asyncio.subprocess.PIPE
        )
        printed, _ = await process.communicate()
        await asyncio.sleep(settings.deadline + 3 * settings.window)  # All windows are closed.
        stop.set()
    assert process.returncode == 0
    last = json.loads(printed.splitlines()[-1])
    return last["reported"], last["decided"]
