"""What a place's first requests take says little of it."""

from __future__ import annotations

from tercet.experience.first_uses import FirstUses
from tercet.schemas.outcome import Outcome


def outcome(ms: float, node: str = "cloud", option: str = "d0@C", **more: object) -> Outcome:
    return Outcome.model_validate(
        {"device": "a", "node": node, "executed": option, "response_ms": ms, **more}
    )


def test_requests_made_before_the_first_answer_are_first_ones() -> None:
    first = FirstUses()
    assert first.is_first(outcome(300.0), 10.0)
    assert first.is_first(outcome(310.0), 10.2)  # Made at 9.89, before that answer.
    assert not first.is_first(outcome(13.0), 10.1)
    assert not first.is_first(outcome(300.0), 600.0)


def test_places_are_nodes_and_variants() -> None:
    first = FirstUses()
    assert first.is_first(outcome(300.0), 10.0)
    assert first.is_first(outcome(300.0, option="d7@C"), 20.0)
    assert first.is_first(outcome(300.0, "edge", "d0@E"), 30.0)
    assert not first.is_first(outcome(300.0, device="b"), 40.0)
    assert not FirstUses().is_first(outcome(300.0, simulated=True), 10.0)
