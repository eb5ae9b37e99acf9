"""A small fleet, its round records and parameters, for the tests of the deciding role."""

from __future__ import annotations

from tercet.experience.fleets import fleet_of
from tercet.schemas.capability import Capability
from tercet.schemas.experience_v2 import Experience
from tercet.schemas.fleet import Condition, Fleet
from tercet.schemas.outcome import Outcome
from tercet.schemas.round import Round
from tercet.schemas.window import ActiveRow, one_request_each
from tercet.services.orchestrator.decide.policy_interface import DecisionContext
from tercet.services.orchestrator.decide.round_record import RoundRecord
from tercet.services.orchestrator.learn.trainer import Trainer

ACCURACY = {"d0": 89.9, "d3": 74.2, "d7": 72.8}


def capability(node: str, tier: str, ms: float) -> Capability:
    return Capability(
        node=node,
        tier=tier,
        home="edge-1" if tier == "device" else None,
        accuracy_pct=ACCURACY if tier == "device" else {"d0": 89.9},
        profile_ms={"d0": ms, "d3": ms / 5, "d7": ms / 4},
    )


NODES = (
    capability("a", "device", 100),
    capability("b", "device", 100),
    capability("edge-1", "edge", 40),
    capability("sky", "cloud", 15),
)


WEAK_NODES = (
    NODES[0],
    NODES[1].model_copy(update={"accuracy_pct": {"d3": 74.2, "d7": 72.8}}),
    *NODES[2:],
)
"""The same, but `b` cannot run d0."""


def fleet() -> Fleet:
    found = fleet_of(NODES)
    assert found is not None
    return found


def context(
    known: Fleet | None = None,
    active: tuple[str, ...] = ("a", "b"),
    goal: str = "85",
    unavailable: frozenset[str] = frozenset(),
) -> DecisionContext:
    return DecisionContext(known or fleet(), active, {}, goal, unavailable)


def round_record(**assigned: str) -> RoundRecord:
    opened = Round(number=3, devices=tuple(assigned), policy="explore")
    return RoundRecord(opened, fleet(), "85", 7, assigned, {"a": Condition(cpu=0.5)})


def outcome(record: RoundRecord, device: str, option: str, ms: float, **more: object) -> Outcome:
    return Outcome(
        device=device,
        node=device,
        assigned=record.assigned[device],
        executed=option,
        response_ms=ms,
        round_id=record.opened.id,
        **more,
    )


def experienced(
    known: Fleet, number: int, executed: dict[str, str], took: dict[str, float]
) -> Experience:
    requests, attempts = one_request_each(known, executed, took)
    return Experience(
        window=number,
        policy="explore",
        goal="min",
        fleet=known,
        active=rows(executed),
        state={},
        next_state={},
        requests=requests,
        attempts=attempts,
    )


def rows(assigned: dict[str, str]) -> tuple[ActiveRow, ...]:
    return tuple(ActiveRow(device=device, assigned=option) for device, option in assigned.items())


def trained_on(known: Fleet) -> bytes:
    trainer = Trainer()
    executed = dict.fromkeys(known.devices, known.options[0])
    trainer.real(experienced(known, 1, executed, dict.fromkeys(known.devices, 100.0)))
    return trainer.update() or b""
