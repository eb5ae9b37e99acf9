"""Outcomes that must not teach are marked in the experience, counted, and shown.

They stay in OUTCOMES and in the experience, as accepted; every learner leaves them out.
"""

from __future__ import annotations

from tercet.messaging.bus import Bus
from tercet.process import metrics
from tercet.schemas.experience import Experience
from tercet.services.orchestrator.decide.policy_process import PolicyProcess
from tercet.services.orchestrator.decide.round_record import RoundRecord


async def screened(policy: PolicyProcess, experience: Experience) -> Experience:
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


async def bury(bus: Bus, ledger: RoundRecord, experience: Experience) -> None:
    """Count what was quarantined, and keep it on `dead.outcome.v1.<device>` with its reason."""
    for device, reason in experience.quarantined.items():
        metrics.QUARANTINED.labels(reason.partition(":")[0]).inc()
        outcome = ledger.outcomes[device]
        await bus.dead_letter(outcome.subject, outcome.model_dump_json().encode(), reason)
