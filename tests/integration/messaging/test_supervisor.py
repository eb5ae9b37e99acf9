"""The supervisor: replaces children that hang, ends them with their parent, reads log tails."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from benchmarks.chaos.shifted_clock import ShiftedClock, with_shifted_clock
from tercet.process import supervisor as supervision
from tercet.process.child import with_parent_death_signal
from tercet.process.log import TAIL_BYTES, last_reason
from tercet.process.supervisor import Child, Supervisor, module
from tercet.schemas import clock
from tercet.schemas.request import Request

NOTIFIES = """
import asyncio, sys
from tercet.process.watchdog import notifying_watchdog
async def main():
    async with notifying_watchdog():
        open(sys.argv[1], "a").write("up ")
        await asyncio.sleep(60)
asyncio.run(main())
"""
NEVER_NOTIFIES = "import time; time.sleep(60)"


async def test_a_child_that_hangs_is_replaced_and_one_that_never_notified_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervision, "HANG_TIMEOUT_S", 2.0)
    monkeypatch.setattr(supervision, "HANG_CHECK_S", 0.1)
    restarts: asyncio.Queue[tuple[str, int]] = asyncio.Queue()
    supervisor = Supervisor(tmp_path, lambda name, code, _: restarts.put_nowait((name, code)))
    up = tmp_path / "up"
    process = await supervisor.start(Child("beats", (sys.executable, "-c", NOTIFIES, str(up))))
    mute = await supervisor.start(Child("mute", (sys.executable, "-c", NEVER_NOTIFIES)))
    while not up.exists() or not supervisor.has_notified(process.pid):  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    os.kill(process.pid, signal.SIGSTOP)
    assert await restarts.get() == ("beats", -signal.SIGKILL)
    while up.read_text().split() != ["up", "up"]:  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    assert supervisor.pid("beats") not in (process.pid, None)
    assert mute.returncode is None
    await supervisor.stop()


PARENT = """
import subprocess, sys
from tercet.process.child import with_parent_death_signal
child = subprocess.Popen(with_parent_death_signal(sys.argv[1:]), stdout=subprocess.DEVNULL)
print(child.pid, flush=True)
sys.stdin.read()
"""


def test_a_child_ends_with_its_parent() -> None:
    command = [sys.executable, "-c", PARENT, sys.executable, "-c", NEVER_NOTIFIES]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        while NEVER_NOTIFIES.encode() not in Path(f"/proc/{pid}/cmdline").read_bytes():
            time.sleep(0.01)  # The launcher has not become the command yet.
        parent.kill()
    deadline = time.monotonic() + 20
    while _runs(pid):
        assert time.monotonic() < deadline, "the child outlives its parent"
        time.sleep(0.01)


def _runs(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def test_a_launched_command_keeps_its_environment_folder_and_exit_code(tmp_path: Path) -> None:
    code = "import os, sys; print(os.getcwd(), os.environ['WORD']); sys.exit(7)"
    result = subprocess.run(
        with_parent_death_signal([sys.executable, "-c", code]),
        cwd=tmp_path,
        env={**os.environ, "WORD": "kept"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stdout) == (7, f"{tmp_path} kept\n")


def test_a_command_that_does_not_exist_is_named() -> None:
    command = with_parent_death_signal(["/nowhere/nats-server"])
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert result.stderr == "/nowhere/nats-server: No such file or directory\n"


def test_no_file_of_the_working_directory_shadows_a_package(tmp_path: Path) -> None:
    for name in ("tercet", "schemas", "services", "logging"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('shadowed')")
    child = module("health", "tercet.process.health")
    result = subprocess.run(
        child.command, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert "TERCET_HEALTH_PORT: not set" in result.stderr


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "its log is empty"),
        (
            '{"event": "service started"}\n{"event": "misconfigured", "reason": "no broker"}\n',
            "no broker",
        ),
        ('{"event": "service stopped"}\n', "service stopped"),
        ("Traceback\nValueError: x\n  +------------------------------------\n", "ValueError: x"),
        ("[]\n", "[]"),
    ],
)
def test_the_reason_is_that_of_the_last_record(tmp_path: Path, text: str, reason: str) -> None:
    file = tmp_path / "child.log"
    file.write_text(text)
    assert last_reason(file) == reason


def test_of_a_long_log_only_the_end_is_read(tmp_path: Path) -> None:
    file = tmp_path / "child.log"
    with file.open("wb") as sink:
        sink.truncate(1 << 34)  # 16 GiB without a disk block: more than fits in memory.
        sink.seek(0, os.SEEK_END)
        sink.write(b"\n" + json.dumps({"event": "failed", "reason": "a bug"}).encode() + b"\n")
    assert file.stat().st_size > TAIL_BYTES
    assert last_reason(file) == "a bug"
    assert last_reason(tmp_path / "missing.log") == "its log is empty"


def test_a_shifted_clock_shifts_messages_and_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "shift"
    clock.set_clock(ShiftedClock(file))
    try:
        for text, hours in (("7200", 2), ("-18000", -5), ("soon", 0), ("1e99", 0)):
            file.write_text(text)
            ahead = Request(device="x").at - datetime.now(UTC)
            assert abs(ahead - timedelta(hours=hours)) < timedelta(minutes=1)
    finally:
        clock.set_clock(None)
    assert abs(Request(device="x").at - datetime.now(UTC)) < timedelta(minutes=1)
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(minutes=1)


def test_a_module_runs_under_a_shifted_clock(tmp_path: Path) -> None:
    (tmp_path / "shows.py").write_text(
        "import sys\nfrom tercet.schemas.clock import now\nprint(now().isoformat(), *sys.argv[1:])"
    )
    (tmp_path / "shift").write_text("7200")
    command = with_shifted_clock((sys.executable, "-P", "-m", "shows", "--role=decide"))
    path = os.pathsep.join((str(tmp_path), *sys.path))
    environment = {"PYTHONPATH": path, "TERCET_CLOCK_SHIFT": str(tmp_path / "shift")}
    result = subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, check=True
    )
    shown, argument = result.stdout.split()
    ahead = datetime.fromisoformat(shown) - datetime.now(UTC)
    assert abs(ahead - timedelta(hours=2)) < timedelta(minutes=1)
    assert argument == "--role=decide"
