"""A device's decision for one of its model families."""

from __future__ import annotations

from tercet.schemas.decision import Decision


def decision_for(decision: Decision | None, family: str | None) -> Decision | None:
    """What is decided for a family; None where nothing is.

    Without a family it is the device's first one. A decision without families is for all requests.
    """
    if decision is None or not decision.family or family in (None, decision.family):
        return decision
    for other in decision.others:
        if other.family == family:
            fields = ("family", "option", "node", "goal", "expected_ms", "alternatives")
            changed = {name: getattr(other, name) for name in fields}
            return decision.model_copy(update={**changed, "others": ()})
    return None
