"""Emulated time is CPU time over the share, or the wall time when that is longer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tercet.models.cpu_share import CpuShareEmulator


class FakeClocks:
    """A wall clock, a CPU clock, and a sleep that moves the wall clock only."""

    def __init__(self) -> None:
        self.now = 100.0
        self.used = 3.0

    def work(self, cpu: float, waited: float = 0.0) -> None:
        self.used += cpu
        self.now += cpu + waited

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def emulator(self, share: float | None) -> CpuShareEmulator:
        return CpuShareEmulator(
            share, wall=lambda: self.now, cpu=lambda: self.used, sleep=self.sleep
        )


def test_without_a_share_the_time_is_wall_time() -> None:
    clocks = FakeClocks()
    emulator = clocks.emulator(None)
    started = emulator.start()
    clocks.work(0.010, waited=0.005)
    taken = emulator.finish(started)
    assert taken.compute_ms == pytest.approx(15) and not taken.emulated and not taken.late


@given(share=st.floats(0.01, 1), cpu=st.floats(0.0001, 10), waited=st.floats(0, 10))
def test_the_worker_is_held_to_the_target_or_marked_late(
    share: float, cpu: float, waited: float
) -> None:
    clocks = FakeClocks()
    emulator = clocks.emulator(share)
    started, begin = emulator.start(), clocks.now
    clocks.work(cpu, waited)
    taken = emulator.finish(started)
    assert taken.emulated
    assert taken.compute_ms == pytest.approx((clocks.now - begin) * 1e3)
    assert taken.compute_ms >= cpu / share * 1e3 * (1 - 1e-9) - 1e-6
    if not taken.late:
        assert taken.compute_ms == pytest.approx(cpu / share * 1e3)


@pytest.mark.parametrize("share", [0, -1, 1.5, float("nan")])
def test_a_share_outside_its_range_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match="cpu_share"):
        CpuShareEmulator(share)
