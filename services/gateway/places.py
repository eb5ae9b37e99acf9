"""Where a request may run, in the order of trying: the decision, its alternatives, this device."""

from __future__ import annotations

from dataclasses import dataclass

from tercet.process import log
from tercet.rl.options import Option
from tercet.schemas.decision import Decision
from tercet.schemas.outcome import Fallback
from tercet.services.gateway.local_fallback import LocalFallback

_log = log.get(__name__)


@dataclass(frozen=True, slots=True)
class Place:
    """One option, the node on which it runs, and how long that is expected to take."""

    option: Option
    node: str
    expected_ms: float | None = None
    """From sending the picture to the labels; None: not known."""


@dataclass(frozen=True, slots=True)
class ExecutionPlan:
    """The places to try, best first, and why the first is not what was decided, if it is not."""

    places: tuple[Place, ...]
    decision: Decision | None
    fallback: Fallback = "none"
    family: str = ""
    """The model family, where the device has several."""


def plan(
    decision: Decision | None, local: LocalFallback, variant: str | None = None
) -> ExecutionPlan:
    """Return the places for one request, of those that are allowed.

    The device's own node comes last where no alternative names it. With a `variant`, places that
    run another one are left out. There is no place when none of them is allowed.
    """
    decided, fallback = _decided(decision, local)
    places = [place for place in decided if place.option.tier in local.allowed]
    if fallback == "none" and decided and decided[0] not in places:
        fallback = "bad-decision"  # The orchestrator does not know what is allowed here.
    own = local_place(local)
    missing = all(place.node != local.node for place in places)
    if own is not None and "L" in local.allowed and missing:
        places.append(own)
    if variant is not None:
        places = _of_variant(places, variant, local)
        if fallback == "none" and places[:1] != decided[:1]:
            fallback = "no-decision"  # The application has decided.
    return ExecutionPlan(tuple(places), decision if fallback == "none" else None, fallback)


def local_place(local: LocalFallback) -> Place | None:
    """The place that a device chooses by itself; None when it knows no variant."""
    option = local.choose_local()
    if option is None:
        return None
    return Place(option, local.node, local.profile_ms.get(option.variant))


def _decided(decision: Decision | None, local: LocalFallback) -> tuple[list[Place], Fallback]:
    if decision is None:
        return [], "no-decision"
    chosen = Option.parse(decision.option)
    if _unknown(chosen, local):
        _log.error("bad decision", reason=f"unknown variant {chosen.variant}")
        return [], "bad-decision"
    listed = [Place(chosen, _node(chosen, decision.node, local), decision.expected_ms)]
    for other in decision.alternatives:
        option = Option.parse(other.option)
        if not _unknown(option, local):
            listed.append(Place(option, _node(option, other.node, local), other.expected_ms))
    return listed, "none"


def _node(option: Option, node: str, local: LocalFallback) -> str:
    return local.node if option.tier == "L" else node


def _unknown(option: Option, local: LocalFallback) -> bool:
    """Whether the own node is known not to have the variant."""
    return option.tier == "L" and bool(local.profile_ms) and option.variant not in local.profile_ms


def _of_variant(places: list[Place], variant: str, local: LocalFallback) -> list[Place]:
    """Those of the places that run one variant, and the own node if it has it."""
    found = [place for place in places if place.option.variant == variant]
    own = Place(Option(variant, "L"), local.node, local.profile_ms.get(variant))
    if (
        "L" in local.allowed
        and variant in (local.profile_ms or local.accuracy_pct)
        and own.node not in {p.node for p in found}
    ):
        found.append(own)
    return found
