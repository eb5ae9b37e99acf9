"""Mark outcomes that must not be learned from, count them, and dead-letter them.

They stay in OUTCOMES and in the experience; trainers and world models leave them out.
"""

from __future__ import annotations

from tercet.messaging.bus import Bus
from tercet.process import metrics
from tercet.schemas.experience import Experience
from tercet.services.orchestrator.decide.policy_process import PolicyProcess
from tercet.services.orchestrator.decide.round_record import RoundRecord


async def screen(policy: PolicyProcess, experience: Experience) -> Experience:
    """The same round, with marks on what must not be learned from, or only in part."""
    screened = await policy.screen(experience)
    found = {device: v.reason for device, v in screened.items() if v.reason}
    return experience.model_copy(
        update={
            "quarantined": {**experience.quarantined, **found},
            "divided": {d: v.factor for d, v in screened.items() if v.factor != 1.0},
            "doubted": tuple(d for d, v in screened.items() if v.retract),
        }
    )


async def dead_letter_quarantined(bus: Bus, record: RoundRecord, experience: Experience) -> None:
    """Count what was quarantined; keep it on `dead.outcome.v1.<device>` with its reason."""
    for device, reason in experience.quarantined.items():
        metrics.QUARANTINED.labels(reason.partition(":")[0]).inc()
        outcome = record.outcomes[device]
        await bus.dead_letter(outcome.subject, outcome.model_dump_json().encode(), reason)
