"""Answers that vary little are late soon, those that vary late, and none later than thrice."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tercet.rl.options import Option
from tercet.services.gateway.answer_times import AnswerTimes
from tercet.services.gateway.places import Place

CLOUD = Place(Option.parse("d0@C"), "sky", 50.0)
SMALL = Place(Option.parse("d7@C"), "sky", 10.0)
OWN = Place(Option.parse("d3@L"), "cam-1", 50.0)


def after(*took_s: float, place: Place = CLOUD) -> AnswerTimes:
    times = AnswerTimes()
    for seconds in took_s:
        times.add(place, seconds)
    return times


def test_until_something_is_known_three_times_the_expected_time_is_late() -> None:
    assert after(*[0.05] * 5).late_after_s(CLOUD) == 0.15000000000000002
    assert AnswerTimes().late_after_s(Place(CLOUD.option, "sky")) == 1.0


def test_steady_answers_are_late_after_one_and_a_half_times_their_mean() -> None:
    times = after(*[0.06] * 100)
    assert abs(times.late_after_s(CLOUD) - 1.5 * 0.06) < 1e-6
    assert abs(times.late_after_s(SMALL) - 0.02) < 1e-6  # Other variants are late in proportion.


def test_the_own_node_is_not_suspected_early() -> None:
    assert after(*[0.05] * 100, place=OWN).late_after_s(OWN) == 0.15000000000000002


@given(st.lists(st.floats(0.0, 10.0), max_size=100))
def test_it_is_between_the_bounds_whatever_answers_took(took_s: list[float]) -> None:
    assert 0.02 <= after(*took_s).late_after_s(CLOUD) <= 0.16


def test_answers_that_vary_have_more_time() -> None:
    steady, varied = after(*[0.04, 0.05] * 50), after(*[0.02, 0.07] * 50)
    assert varied.late_after_s(CLOUD) > 1.3 * steady.late_after_s(CLOUD)
