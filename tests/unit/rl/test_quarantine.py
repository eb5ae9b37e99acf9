"""What must not teach: impossible times, times far off, and how a real change gets through."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from tercet.rl.experience import Experience, State
from tercet.rl.hybrid import HybridSettings
from tercet.rl.hybrid.ensemble import Ensemble
from tercet.rl.platform import OPTIONS, PAPER_ACCURACY, Option, Platform
from tercet.rl.quarantine import AGREEING, SILENCE, Quarantine, Verdict, impossible

DEVICES = ("a", "b", "c", "d")
PLATFORM = Platform(DEVICES, ("edge",) * 4, PAPER_ACCURACY, OPTIONS)
LOCAL, CLOUD = Option("d3", "L"), Option("d0", "C")
MS = {LOCAL: 80.0, CLOUD: 300.0}


def round_of(option: Option, **ms: float) -> Experience:
    """All devices on one option; those not named measure what it takes."""
    response = {d: ms.get(d, MS[option]) for d in DEVICES}
    state = State(DEVICES)
    return Experience(state, dict.fromkeys(DEVICES, option), response, 1.0, state, "min")


def settled() -> Quarantine:
    """Everyone has a history in both places."""
    quarantine = Quarantine()
    for _ in range(8):
        for option in MS:
            verdicts = quarantine.judge(PLATFORM, round_of(option))
            assert set(verdicts.values()) == {Verdict()}
    return quarantine


@pytest.mark.parametrize(
    ("response", "compute", "passed", "why"),
    [
        (math.nan, 0.0, 1e9, "not a time"),
        (math.inf, 0.0, math.inf, "not a time"),
        (0.0, 0.0, 1e9, "not a time"),
        (-3.0, 0.0, 1e9, "not a time"),
        (7e5, 0.0, 1e9, "not a time"),
        (20.0, 30.0, 1e9, "its own compute"),
        (400.0, 30.0, 200.0, "since its round began"),
        (31.0, 30.0, 200.0, ""),
        (29.5, 30.0, 29.0, ""),
    ],
)
def test_what_cannot_have_been(response: float, compute: float, passed: float, why: str) -> None:
    found = impossible(response, compute, passed)
    assert why in found
    assert bool(found) is bool(why)


def test_who_said_nothing_is_not_judged_however_long_the_round_took() -> None:
    seen = replace(round_of(LOCAL, a=7e5), censored=frozenset("a"))
    quarantine = settled()
    assert quarantine.judge(PLATFORM, seen).keys() == {"b", "c", "d"}
    assert quarantine.judge(PLATFORM, round_of(LOCAL))["a"] == Verdict()


def test_one_outcome_far_off_does_not_teach_and_the_next_does() -> None:
    quarantine = settled()
    assert "far outside" in quarantine.judge(PLATFORM, round_of(LOCAL, a=2000.0))["a"].reason
    assert quarantine.judge(PLATFORM, round_of(LOCAL))["a"] == Verdict()


def test_what_lies_near_is_believed() -> None:
    verdicts = settled().judge(PLATFORM, round_of(CLOUD, a=700.0, b=140.0))
    assert not any(v.reason for v in verdicts.values())


def test_a_real_change_gets_through_after_a_few_that_agree() -> None:
    """A processor that is throttled: slow where it computes itself, and nowhere else."""
    quarantine, reasons = settled(), []
    for _ in range(AGREEING + 3):
        reasons.append(quarantine.judge(PLATFORM, round_of(LOCAL, a=500.0))["a"])
        quarantine.judge(PLATFORM, round_of(CLOUD))
    assert all("far outside" in v.reason for v in reasons[: AGREEING - 1])
    assert all(v == Verdict() for v in reasons[AGREEING - 1 :])


def test_a_node_that_changes_for_all_has_changed() -> None:
    quarantine = settled()
    slow = dict.fromkeys(DEVICES, 6000.0)
    verdicts = quarantine.judge(PLATFORM, round_of(CLOUD, **slow))
    assert sum(bool(v.reason) for v in verdicts.values()) == 1  # the first has no company yet
    verdicts = quarantine.judge(PLATFORM, round_of(CLOUD, **slow))
    assert not any(v.reason for v in verdicts.values())


def test_a_shared_node_serves_nobody_much_faster_than_all_others() -> None:
    quarantine = settled()
    verdict = quarantine.judge(PLATFORM, round_of(CLOUD, a=1.0))["a"]
    assert verdict.reason.startswith("impossible")
    assert verdict.doubted
    for _ in range(SILENCE):
        assert quarantine.judge(PLATFORM, round_of(LOCAL))["a"].reason
    assert quarantine.judge(PLATFORM, round_of(LOCAL))["a"] == Verdict()


def test_slower_than_all_others_wherever_it_runs_is_taken_out() -> None:
    quarantine, verdict, doubts = Quarantine(), Verdict(), 0
    for _ in range(20):
        for option, ms in MS.items():
            verdict = quarantine.judge(PLATFORM, round_of(option, a=10 * ms))["a"]
            doubts += verdict.doubted
    assert verdict.reason == ""
    assert verdict.factor == pytest.approx(10.0, rel=0.01)
    assert doubts == 1


def test_what_scatters_does_not_teach() -> None:
    quarantine, rng = settled(), np.random.default_rng(0)
    batch = 0
    for k in range(60):
        wild = float(np.exp(rng.uniform(0.0, 9.0)))
        batch += not quarantine.judge(PLATFORM, round_of(LOCAL if k % 2 else CLOUD, a=wild))[
            "a"
        ].reason
    assert batch <= 6


def test_a_profile_says_what_a_device_of_its_own_kind_needs() -> None:
    """Eight times slower than the others, as it said before: that is no lie."""
    quarantine = Quarantine()
    profile = {d: {"d3": 80.0} for d in DEVICES} | {"a": {"d3": 640.0}}
    for _ in range(10):
        verdicts = quarantine.judge(PLATFORM, round_of(LOCAL, a=645.0), profile)
        assert set(verdicts.values()) == {Verdict()}


def test_who_has_gone_is_forgotten() -> None:
    quarantine = settled()
    rest = Platform(DEVICES[:1], ("edge",), PAPER_ACCURACY, OPTIONS)
    alone = Experience(State(("a",)), {"a": LOCAL}, {"a": 80.0}, 80.0, State(("a",)), "min")
    quarantine.judge(rest, alone)
    assert set(quarantine.records) == {"a"}
    assert {d for _, d in quarantine.peers.labels} == {"a"}


def test_what_a_device_taught_is_taken_back_as_if_it_had_not_spoken() -> None:
    def batch(*, lies: bool) -> Ensemble:
        rng = np.random.default_rng(0)
        ensemble = Ensemble.create(PLATFORM, HybridSettings(), 2, rng)
        for k in range(12):
            seen = round_of(LOCAL if k % 2 else CLOUD, **({"a": 5000.0} if lies else {}))
            honest = {d: ms for d, ms in seen.response_ms.items() if d != "a"}
            ensemble.observe(seen if lies else replace(seen, response_ms=honest))
        return ensemble

    liar, silent = batch(lies=True), batch(lies=False)
    liar.observe(replace(round_of(LOCAL), response_ms={}, assignment={}, doubted=frozenset("a")))
    for a, b in zip(liar.regressors, silent.regressors, strict=True):
        assert a.linear.count == pytest.approx(b.linear.count)
        own = a.layout.device_columns("a")
        assert len(own) > 0
        assert np.allclose(a.linear.gram[own], 0.0, atol=1e-9)
