"""The policy in a process of its own: it answers, survives its death, and never outlives us."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tercet.services.orchestrator.decide.policy_process import PolicyProcess, thinking
from tercet.services.orchestrator.decide.schedule import GREEDY
from tests.integration.services.fixtures import fleet, learned_on

PRESENT = ("a", "b")


async def choice(thinker: PolicyProcess, name: str = GREEDY) -> dict[str, str]:
    return await thinker.choose(name, fleet(), PRESENT, {}, "min")


def process_of(thinker: PolicyProcess) -> int:
    assert thinker._process is not None
    return thinker._process.pid


async def test_a_killed_thinker_comes_back_with_what_it_knew() -> None:
    async with thinking(seed=0) as thinker:
        await thinker.adopt(7, learned_on(fleet()))
        before, first = await choice(thinker), process_of(thinker)
        os.kill(first, signal.SIGKILL)
        assert await choice(thinker) == before
        assert process_of(thinker) != first
        assert thinker.version == 7


async def test_malformed_parameters_leave_those_in_force() -> None:
    async with thinking(seed=0) as thinker:
        await thinker.adopt(7, learned_on(fleet()))
        before = await choice(thinker)
        with pytest.raises(ValueError, match="safetensors"):
            await thinker.adopt(8, b"not safetensors")
        assert thinker.version == 7
        assert await choice(thinker) == before


async def test_what_is_forgotten_is_not_used() -> None:
    async with thinking(seed=0) as thinker:
        unlearned = await choice(thinker)
        await thinker.adopt(7, learned_on(fleet()))
        await thinker.forget()
        assert thinker.version is None
        assert await choice(thinker) == unlearned


PARENT = """
import asyncio
from tercet.services.orchestrator.decide.policy_process import thinking

async def main():
    async with thinking(seed=0) as thinker:
        print(thinker._process.pid, flush=True)
        await asyncio.sleep(60)

if __name__ == "__main__":
    asyncio.run(main())
"""


def test_it_dies_with_its_parent(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    parent = subprocess.Popen(
        [sys.executable, script], stdout=subprocess.PIPE, text=True, env=environment
    )
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    for _ in range(500):
        if not alive(child):
            return
        time.sleep(0.01)
    pytest.fail("the thinking process outlived its parent")


def alive(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


def test_the_process_that_answers_loads_no_torch() -> None:
    code = "import sys, tercet.services.orchestrator.decide.service; print('torch' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"
