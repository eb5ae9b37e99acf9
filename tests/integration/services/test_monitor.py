"""The monitor's measurements: cgroup v1 and v2, background load, link quality with hysteresis."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tercet.services.monitor import cgroup
from tercet.services.monitor.link import LinkQuality
from tercet.services.monitor.probe import Probe

MIB = 1024 * 1024


def tree(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text + "\n")
    return root


def test_cgroup_v2(tmp_path: Path) -> None:
    root = tree(
        tmp_path,
        {
            "cgroup.controllers": "cpu memory",
            "cpu.max": "50000 100000",
            "cpu.stat": "usage_usec 1500000\nuser_usec 1000000\nsystem_usec 500000",
            "memory.max": str(256 * MIB),
            "memory.current": str(64 * MIB),
        },
    )
    assert cgroup.read(root) == cgroup.Limits(0.5, 256, 64, 1.5)


def test_cgroup_v2_without_limits(tmp_path: Path) -> None:
    root = tree(tmp_path, {"cgroup.controllers": "", "cpu.max": "max 100000", "memory.max": "max"})
    assert cgroup.read(root) == cgroup.Limits(None, None, None, None)


def test_cgroup_v1(tmp_path: Path) -> None:
    root = tree(
        tmp_path,
        {
            "cpu/cpu.cfs_quota_us": "150000",
            "cpu/cpu.cfs_period_us": "100000",
            "cpuacct/cpuacct.usage": "2500000000",
            "memory/memory.limit_in_bytes": str(512 * MIB),
            "memory/memory.usage_in_bytes": str(128 * MIB),
        },
    )
    assert cgroup.read(root) == cgroup.Limits(1.5, 512, 128, 2.5)


def test_cgroup_v1_without_limits(tmp_path: Path) -> None:
    root = tree(
        tmp_path,
        {
            "cpu/cpu.cfs_quota_us": "-1",
            "cpu/cpu.cfs_period_us": "100000",
            "memory/memory.limit_in_bytes": "9223372036854771712",
        },
    )
    assert cgroup.read(root) == cgroup.Limits(None, None, None, None)


def test_no_cgroup_at_all(tmp_path: Path) -> None:
    assert cgroup.read(tmp_path) == cgroup.Limits(None, None, None, None)


def test_the_load_of_this_run_is_not_background() -> None:
    """A busy child of the run counts in the total and not in the background."""
    host = cgroup.Limits(None, None, None, None)
    spin = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        time.sleep(0.3)
        probe = Probe(run_pid=os.getpid(), limits=lambda: host)
        time.sleep(1.0)
        load = probe.sample()
    finally:
        spin.kill()
        spin.wait()
    assert load.total_cpu - load.background_cpu > 0.2 / load.cores


def test_in_a_container_all_load_belongs_to_the_run() -> None:
    seconds = iter((10.0, 10.5))
    probe = Probe(run_pid=None, limits=lambda: cgroup.Limits(0.5, 256, 64, next(seconds)))
    load = probe.sample()
    assert load.background_cpu == 0
    assert load.total_cpu > 0
    assert (load.cores, load.memory, load.memory_mib) == (0.5, 0.25, 256)


def link_quality(*round_trips: float) -> LinkQuality:
    made = LinkQuality(weak_above=10, regular_below=7)
    for ms in round_trips:
        made.add(ms)
    return made


def test_one_slow_packet_does_not_make_a_link_weak() -> None:
    assert not link_quality(1, 1, 90, 1, 1).weak


def test_a_link_is_weak_above_ten_milliseconds() -> None:
    assert link_quality(20, 21, 22).weak


@pytest.mark.parametrize(("then", "weak"), [(8.0, True), (6.0, False)])
def test_hysteresis(then: float, weak: bool) -> None:
    assert link_quality(*[20.0] * 5, *[then] * 5).weak is weak
