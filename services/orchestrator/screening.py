"""Outcomes that must not teach are marked in the experience, counted, and shown.

They stay in OUTCOMES and in the experience, as accepted; every learner leaves them out.
"""

from __future__ import annotations

from runtime import metrics
from runtime.bus import Bus
from schemas.experience import Experience
from services.orchestrator.ledger import Ledger
from services.orchestrator.thinker import Thinker


async def screened(policy: Thinker, experience: Experience) -> Experience:
    """The same round, with marks on what must not teach, or only in part."""
    verdicts = await policy.screen(experience)
    refused = {device: v.reason for device, v in verdicts.items() if v.reason}
    return experience.model_copy(
        update={
            "quarantined": {**experience.quarantined, **refused},
            "divided": {d: v.factor for d, v in verdicts.items() if v.factor != 1.0},
            "doubted": tuple(d for d, v in verdicts.items() if v.doubted),
        }
    )


async def bury(bus: Bus, ledger: Ledger, experience: Experience) -> None:
    """Count what was quarantined, and keep it on `dead.outcome.v1.<device>` with its reason."""
    for device, reason in experience.quarantined.items():
        metrics.QUARANTINED.labels(reason.partition(":")[0]).inc()
        outcome = ledger.outcomes[device]
        await bus.bury(outcome.subject, outcome.model_dump_json().encode(), reason)
