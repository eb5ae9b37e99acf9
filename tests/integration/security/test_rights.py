"""Role by subject, publish and subscribe, as a real broker enforces it: docs/permissions.md."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tercet.schemas import CATALOGUE
from tests.integration.security.conftest import Secured

DOCUMENT = Path(__file__).parents[3] / "docs" / "permissions.md"
USERS = (
    "device-cam-1",
    "monitor-cam-1",
    "inference-cam-1",
    "device-cam-2",
    "inference-edge-1",
    "orchestrator",
    "learner",
    "world-model",
    "dashboard",
    "steering-dashboard",
    "listener",
    "operator",
    "topology",
    "warden",
)
TOKENS = {
    "device": ("cam-1", "cam-2"),
    "node": ("cam-1", "cam-2", "edge-1", "edge-2", "cloud"),
    "owner": ("policy", "member-0", "values", "decider"),
    "worker": ("w",),
    "service": ("device", "monitor"),
}
OTHERS = (
    "live.window.v1",
    "live.outcome.v1.cam-1",
    "live.capability.v1.cam-1",
    "live.result.v1.cam-1",
    "dead.request.v1.cam-1",
    "dead.decision.v1.cam-1",
    "dead.outcome.v1.cam-1",
    "dead.result.v1.cam-1",
    "dead.window.v1",
    "dead.inference.v1.cloud",
    "dead.experience.v1.real",
    "dead.experience.v2.real",
    "blob.policy",
    "blob.policy-kept",
    "blob.member-0",
    "blob.values",
    "$KV.control.goal",
    "$KV.parameters.policy",
    "$KV.parameters.member-0",
    "$KV.parameters.values",
    "$KV.parameters.decider",
    "$KV.leases.member-0",
    "$JS.API.STREAM.CREATE.OTHER",
    "$JS.API.STREAM.DELETE.EXPERIENCE",
    "$JS.API.STREAM.PURGE.EXPERIENCE",
    "$JS.API.STREAM.INFO.EXPERIENCE",
    "$JS.API.STREAM.INFO.DECISIONS",
    "$JS.API.STREAM.INFO.OUTCOMES",
    "$JS.API.STREAM.INFO.WINDOWS",
    "$JS.API.CONSUMER.CREATE.DECISIONS",
    "$JS.API.CONSUMER.CREATE.EXPERIENCE",
    "$JS.API.CONSUMER.MSG.NEXT.EXPERIENCE.learner-real",
    "$JS.API.CONSUMER.MSG.NEXT.EXPERIENCE.member-0",
    "$JS.API.DIRECT.GET.OUTCOMES",
    "$JS.API.DIRECT.GET.OUTCOMES.outcome.v1.cam-1",
    "$JS.API.DIRECT.GET.OUTCOMES.outcome.v1.cam-2",
    "$JS.API.DIRECT.GET.DECISIONS",
    "$JS.API.DIRECT.GET.DECISIONS.decision.v1.cam-1",
    "$JS.API.DIRECT.GET.DECISIONS.decision.v1.cam-2",
    "$JS.API.DIRECT.GET.WINDOWS",
    "$JS.API.DIRECT.GET.WINDOWS.window.v1",
    "$JS.API.DIRECT.GET.CAPABILITY.capability.v1.cam-1",
    "$JS.API.DIRECT.GET.CAPABILITY.capability.v1.cam-2",
    "$SRV.PING",
    "$SYS.REQ.SERVER.PING",
    "_INBOX_device-cam-1.x",
    "_INBOX_device-cam-2.x",
    "_INBOX.x",
    "anything.else",
    ">",
)


def subjects() -> list[str]:
    """Every subject of the catalogue with real names in it, and others with rights of their own."""
    found = []
    for template in CATALOGUE:
        subject = CATALOGUE[template].SUBJECT
        named = {subject}
        for token, names in TOKENS.items():
            named = {s.replace(f"{{{token}}}", n) for s in named for n in names}
        found += sorted(named)
    return [*found, *OTHERS]


REFUSAL = re.compile(r'permissions violation for (publish|subscription) to "([^"]+)"')


async def rights_of(secured: Secured, user: str) -> dict[str, str]:
    """Rights of one user for each subject: `p`, `s`, both or none.

    The broker names the subject of each refusal, in any order and in lower case.
    """
    async with secured.client(user) as (client, refused):
        for subject in subjects():
            if subject != ">":
                await client.publish(subject, b"")
            subscription = await client.subscribe(subject)
            await client.flush()
            await subscription.unsubscribe()
        for _ in range(100):  # Until the last refusals have arrived.
            await client.flush()
    found = {match.groups() for text in refused if (match := REFUSAL.search(text.lower()))}
    marks = {}
    for subject in subjects():
        may = "p" if ("publish", subject.lower()) not in found and subject != ">" else ""
        marks[subject] = may + ("" if ("subscription", subject.lower()) in found else "s")
    return marks


def render(cells: dict[str, dict[str, str]]) -> str:
    lines = [
        "# Permissions on the bus",
        "",
        "Measured by a test on a real broker that `tercet secure` configured"
        " (`pytest tests/integration/security/test_rights.py`).",
        "`p`: may publish; `s`: may subscribe; empty: refused. A responder may also publish to the",
        "reply subject of a request. The first three users belong to the device `cam-1`, whose",
        "edge is `edge-1`. The pictures of `cam-2` may reach its edge, but not the cloud.",
        "`warden` is in the system account, where no other user sees these.",
        "",
        "| subject | " + " | ".join(USERS) + " |",
        "|---" * (len(USERS) + 1) + "|",
    ]
    for subject in subjects():
        marks = " | ".join(cells[user][subject] for user in USERS)
        lines.append(f"| `{subject}` | {marks} |")
    return "\n".join(lines) + "\n"


@pytest.mark.slow
async def test_every_cell_is_as_intended(secured: Secured) -> None:
    """Write the document with TERCET_WRITE=1, and review the difference."""
    found = render({user: await rights_of(secured, user) for user in USERS})
    if os.environ.get("TERCET_WRITE"):
        DOCUMENT.write_text(found)
    assert found == DOCUMENT.read_text()
