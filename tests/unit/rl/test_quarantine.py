"""What must not be learned from: impossible times and outliers; a real change is accepted."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from tercet.rl.experience import Experience, State
from tercet.rl.hybrid import HybridSettings
from tercet.rl.hybrid.ensemble import Ensemble
from tercet.rl.options import OPTIONS, PAPER_ACCURACY, Option
from tercet.rl.platform import Platform
from tercet.rl.quarantine import AGREEING, EXCLUDED_OUTCOMES, Quarantine, Screening, impossible

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
            screened = quarantine.screen(PLATFORM, round_of(option))
            assert set(screened.values()) == {Screening()}
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
def test_impossible_times_are_found(
    response: float, compute: float, passed: float, why: str
) -> None:
    found = impossible(response, compute, passed)
    assert why in found
    assert bool(found) is bool(why)


def test_a_censored_outcome_is_not_screened_however_long_the_round_took() -> None:
    seen = replace(round_of(LOCAL, a=7e5), censored=frozenset("a"))
    quarantine = settled()
    assert quarantine.screen(PLATFORM, seen).keys() == {"b", "c", "d"}
    assert quarantine.screen(PLATFORM, round_of(LOCAL))["a"] == Screening()


def test_one_outlier_is_not_accepted_and_the_next_outcome_is() -> None:
    quarantine = settled()
    assert "far outside" in quarantine.screen(PLATFORM, round_of(LOCAL, a=2000.0))["a"].reason
    assert quarantine.screen(PLATFORM, round_of(LOCAL))["a"] == Screening()


def test_an_outcome_near_the_expected_time_is_accepted() -> None:
    screened = settled().screen(PLATFORM, round_of(CLOUD, a=700.0, b=140.0))
    assert not any(v.reason for v in screened.values())


def test_a_real_change_is_accepted_after_a_few_outcomes_that_agree() -> None:
    """A processor that is throttled: slow where it computes itself, and nowhere else."""
    quarantine, reasons = settled(), []
    for _ in range(AGREEING + 3):
        reasons.append(quarantine.screen(PLATFORM, round_of(LOCAL, a=500.0))["a"])
        quarantine.screen(PLATFORM, round_of(CLOUD))
    assert all("far outside" in v.reason for v in reasons[: AGREEING - 1])
    assert all(v == Screening() for v in reasons[AGREEING - 1 :])


def test_a_change_of_a_node_is_accepted_when_two_devices_agree() -> None:
    quarantine = settled()
    slow = dict.fromkeys(DEVICES, 6000.0)
    screened = quarantine.screen(PLATFORM, round_of(CLOUD, **slow))
    assert (
        sum(bool(v.reason) for v in screened.values()) == 1
    )  # no other device agrees with the first yet
    screened = quarantine.screen(PLATFORM, round_of(CLOUD, **slow))
    assert not any(v.reason for v in screened.values())


def test_a_shared_node_serves_no_device_much_faster_than_all_others() -> None:
    quarantine = settled()
    screening = quarantine.screen(PLATFORM, round_of(CLOUD, a=1.0))["a"]
    assert screening.reason.startswith("impossible")
    assert screening.retract
    for _ in range(EXCLUDED_OUTCOMES):
        assert quarantine.screen(PLATFORM, round_of(LOCAL))["a"].reason
    assert quarantine.screen(PLATFORM, round_of(LOCAL))["a"] == Screening()


def test_a_factor_over_all_others_on_every_tier_is_divided_out() -> None:
    quarantine, screening, retractions = Quarantine(), Screening(), 0
    for _ in range(20):
        for option, ms in MS.items():
            screening = quarantine.screen(PLATFORM, round_of(option, a=10 * ms))["a"]
            retractions += screening.retract
    assert screening.reason == ""
    assert screening.factor == pytest.approx(10.0, rel=0.01)
    assert retractions == 1


def test_outcomes_that_scatter_are_not_accepted() -> None:
    quarantine, rng = settled(), np.random.default_rng(0)
    accepted = 0
    for k in range(60):
        wild = float(np.exp(rng.uniform(0.0, 9.0)))
        accepted += not quarantine.screen(PLATFORM, round_of(LOCAL if k % 2 else CLOUD, a=wild))[
            "a"
        ].reason
    assert accepted <= 6


def test_a_profile_sets_the_expected_time_of_a_slower_device() -> None:
    """Eight times slower than the others, as its profile states."""
    quarantine = Quarantine()
    profile = {d: {"d3": 80.0} for d in DEVICES} | {"a": {"d3": 640.0}}
    for _ in range(10):
        screened = quarantine.screen(PLATFORM, round_of(LOCAL, a=645.0), profile)
        assert set(screened.values()) == {Screening()}


def test_devices_that_have_left_are_dropped() -> None:
    quarantine = settled()
    rest = Platform(DEVICES[:1], ("edge",), PAPER_ACCURACY, OPTIONS)
    alone = Experience(State(("a",)), {"a": LOCAL}, {"a": 80.0}, 80.0, State(("a",)), "min")
    quarantine.screen(rest, alone)
    assert set(quarantine.records) == {"a"}
    assert {d for _, d in quarantine.peers.labels} == {"a"}


def test_retracted_labels_leave_no_trace() -> None:
    def trained(*, lies: bool) -> Ensemble:
        rng = np.random.default_rng(0)
        ensemble = Ensemble.create(PLATFORM, HybridSettings(), 2, rng)
        for k in range(12):
            seen = round_of(LOCAL if k % 2 else CLOUD, **({"a": 5000.0} if lies else {}))
            honest = {d: ms for d, ms in seen.response_ms.items() if d != "a"}
            ensemble.observe(seen if lies else replace(seen, response_ms=honest))
        return ensemble

    lying, reference = trained(lies=True), trained(lies=False)
    lying.observe(replace(round_of(LOCAL), response_ms={}, assignment={}, retracted=frozenset("a")))
    for a, b in zip(lying.regressors, reference.regressors, strict=True):
        assert a.linear.count == pytest.approx(b.linear.count)
        own = a.layout.device_columns("a")
        assert len(own) > 0
        assert np.allclose(a.linear.gram[own], 0.0, atol=1e-9)
