"""Planning on the bus pays where a queue carries over: `tercet up` against the myopic optimum."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tercet.sim.carry_over import queue_carry_over
from tercet.sim.long_run import long_run_ms, myopic, planner

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

SEED, ROUNDS, COUNTED = 104_729, 600, 300
"""Random numbers of the world's path; rounds, of which the last ones count."""


def test_it_closes_most_of_the_gap_between_the_myopic_policy_and_the_best_one() -> None:
    """All trials are included, and the other two policies know the true costs."""
    world = queue_carry_over()
    best, shortsighted = (
        long_run_ms(world, kind(world, "min"), COUNTED, SEED, ROUNDS - COUNTED)
        for kind in (planner, myopic)
    )
    run = subprocess.run(
        [
            sys.executable,
            *("-m", "tercet.cli", "up", "--json", "--workers=2", "--goal=min"),
            *("--world=tercet.sim.carry_over:queue_carry_over", f"--rounds={ROUNDS}"),
            f"--seed={SEED}",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    summary = json.loads(run.stdout)
    assert (summary["rounds"], summary["long_run_rounds"]) == (ROUNDS, COUNTED)
    assert best < 0.9 * shortsighted
    assert summary["long_run_ms"] < shortsighted - 0.5 * (shortsighted - best)
