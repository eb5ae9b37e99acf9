"""Alternatives of a decision: one for each other node, accurate enough, the fastest first."""

from __future__ import annotations

from typing import Any

import pytest

from tercet.rl.alternatives import ranked_alternatives
from tercet.rl.options import OPTIONS, PAPER_ACCURACY, Option
from tercet.rl.platform import Platform

EXPECTED = {
    "d0@L": 100.0, "d1@L": 60.0, "d2@L": 31.0, "d3@L": 14.0, "d4@L": 63.0,
    "d0@E": 48.0, "d0@C": 70.0,
}  # fmt: skip


def platform(**fields: Any) -> Platform:
    return Platform(("cam-1",), ("gate",), PAPER_ACCURACY, **fields)


def ranked(
    chosen: str, required: float, expected: dict[str, float] = EXPECTED, **fields: Any
) -> list[str]:
    found = ranked_alternatives(
        platform(**fields),
        "cam-1",
        Option.parse(chosen),
        {Option.parse(text): ms for text, ms in expected.items()},
        required,
    )
    return [str(option) for option in found]


def test_there_is_one_for_each_other_node_and_the_fastest_comes_first() -> None:
    assert ranked("d0@C", 0.0) == ["d3@L", "d0@E"]
    assert ranked("d3@L", 0.0) == ["d0@E", "d0@C"]


def test_it_is_as_accurate_as_required_or_as_the_chosen_one() -> None:
    assert ranked("d0@C", 88.0) == ["d0@E", "d1@L"]
    assert ranked("d0@C", 89.9) == ["d0@E", "d0@L"]
    assert ranked("d3@L", 89.9) == ["d0@E", "d0@C"]


def test_options_without_an_expectation_come_last() -> None:
    assert ranked("d0@C", 88.0, {"d4@L": 60.0}) == ["d4@L", "d0@E"]
    assert ranked("d0@C", 88.0, {}) == ["d0@L", "d0@E"]


def test_tiers_that_are_not_allowed_and_variants_that_a_node_lacks_are_left_out() -> None:
    assert ranked("d0@L", 0.0, allowed={"cam-1": frozenset("LE")}) == ["d0@E"]
    assert ranked("d0@E", 88.0, lacking={"cam-1": frozenset({"d0", "d1", "d4"})}) == [
        "d0@C",
        "d5@L",
    ]


@pytest.mark.parametrize("chosen", [str(option) for option in OPTIONS])
def test_no_alternative_is_on_the_chosen_node_and_none_twice(chosen: str) -> None:
    known = platform()
    nodes = [known.node("cam-1", Option.parse(o)) for o in (chosen, *ranked(chosen, 80.0))]
    assert len(set(nodes)) == len(nodes) == 3
